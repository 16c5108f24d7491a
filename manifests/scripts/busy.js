// Says whether a restore is under way. A node that does not answer is no reason to keep an environment for ever.
var command = "/usr/local/lib/lifeboat/node busy";
var response = api.env.control.ExecCmdById("${env.envName}", session, getParam("node"), toJSON([{command: command}]), true, "root");
if (response.result != 0) return {result: 0, restoring: false};
var answer = toNative(new JSONObject(String(response.responses[0].out))), runs = answer.runs || [], restoring = answer.restoring == true;
for (var i = 0; i < runs.length; i++) {
    if (runs[i].standing == "running" && (runs[i].kind == "restore" || runs[i].kind == "recover")) restoring = true;
}
return {result: 0, restoring: restoring};
