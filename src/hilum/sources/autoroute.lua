-- Sends every stored instance on to Hilum's listener, as many small sites route; all but what a person
-- uploads. Orthanc tries once: what the listener misses must be fetched later.
-- The listener has this name in "DicomModalities" of Orthanc's configuration; `hilum init` writes both.
MODALITY = 'listener'

-- Under another name every image would be lost with one line in the log, so it is said at the start.
function Initialize()
   for _, name in pairs(ParseJson(RestApiGet('/modalities'))) do
      if name == MODALITY then
         return
      end
   end
   error('Hilum gets no images: "DicomModalities" has no entry called "' .. MODALITY .. '"')
end

function OnStoredInstance(instanceId, tags, metadata, origin)
   if origin['RequestOrigin'] ~= 'RestApi' then
      SendToModality(instanceId, MODALITY)
   end
end
