-- Sends every stored instance on to the modality "listener", as many small sites route; all but what
-- a person uploads. Orthanc tries once: what the listener misses must be fetched later.
function OnStoredInstance(instanceId, tags, metadata, origin)
   if origin['RequestOrigin'] ~= 'RestApi' then
      SendToModality(instanceId, 'listener')
   end
end
