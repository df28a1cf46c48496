-- Tells Hilum at once that something was stored, so that it need not wait for its next look. Only a
-- hint: without it, or when it fails, Hilum finds the instance by itself a little later.
--
-- In the configuration of Orthanc:
--    "LuaScripts" : [ ".../wake.lua" ],
--    "HilumWake" : "http://127.0.0.1:8040/api/v1/sources/NAME/wake"
--
-- HttpPost() is not used: while Hilum hangs it stops the REST API of Orthanc for HttpTimeout, which is
-- 60 seconds by default. A program in the background stops nothing. One a second is enough: Hilum
-- looks again and again for two seconds after an image.
local address = tostring(GetOrthancConfiguration()['HilumWake'])
local usable = address:match('^https?://[%w%.:%-%[%]/_]+$')
local command = "curl --silent --max-time 2 --request POST '" .. address .. "' >/dev/null 2>&1 &"
local last = 0

if not usable then
   print('HilumWake is not an address: Hilum is not woken up')
end

function OnStoredInstance(instanceId, tags, metadata, origin)
   local now = os.time()
   if usable and now ~= last then
      last = now
      os.execute(command)
   end
end
