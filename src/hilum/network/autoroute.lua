-- Sends every stored instance on to the modality "listener", as many small sites route.
-- Orthanc tries once: what the listener misses while it is down must be fetched later.
function OnStoredInstance(instanceId, tags, metadata, origin)
   SendToModality(instanceId, 'listener')
end
