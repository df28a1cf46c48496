-- Sends every instance that arrives by DICOM on to the modality "listener", as many small sites
-- route. Orthanc tries once: what the listener misses while it is down must be fetched later.
function OnStoredInstance(instanceId, tags, metadata, origin)
   if origin['RequestOrigin'] == 'DicomProtocol' then
      SendToModality(instanceId, 'listener')
   end
end
