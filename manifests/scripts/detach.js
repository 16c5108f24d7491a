// Takes the storage away from the node again; harmless where it is not mounted. The node's event may come when its next run has begun,
// whose end asks again: so the node is asked first. One without the add-on has no runs.
var command = "/usr/local/lib/lifeboat/node away";
var asked = api.env.control.ExecCmdById("${env.envName}", session, getParam("node"), toJSON([{command: command}]), true, "root");
if (asked.result == 0 && toNative(new JSONObject(String(asked.responses[0].out))).away == false) return {result: 0};
var response = api.env.file.GetMountPoints("${env.envName}", session, getParam("node"));
if (response.result != 0) return response;
for (var i = 0; i < response.array.length; i++) {
    if (response.array[i].path != "/opt/backup") continue;
    var removed = api.env.file.RemoveMountPointById("${env.envName}", session, getParam("node"), "/opt/backup");
    if (removed.result != 0) return removed;
}
return {result: 0};
