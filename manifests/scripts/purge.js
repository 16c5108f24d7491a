// Marks the backups to be deleted with the add-on, if the environment's name was typed; takes the mark back otherwise.
var own = "${env.envName}", typed = String(getParam("name") || ""), mark = typed == own ? "true" : "false";
if (typed != "" && typed.indexOf("$") != 0 && typed != own) {
    return {result: "warning", message: "That is not the name of this environment. Its backups stay."};
}
var command = "/usr/local/lib/lifeboat/node mark-purge " + mark;
var response = api.env.control.ExecCmdById(own, session, getParam("node"), toJSON([{command: command}]), true, "root");
if (response.result != 0) return response;
var answer = toNative(new JSONObject(String(response.responses[0].out)));
return {result: answer.type, message: answer.message};
