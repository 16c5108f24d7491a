// Has the node's part do one verb, and shows what it answers. Its answer is one JSON document, also when something is wrong.
var verbs = ["check", "bind", "start", "backup", "status", "drill", "logs", "undo", "adopt"];
var verb = String(getParam("verb")), root = String(getParam("root") || ""), quiet = String(getParam("quiet")) == "true";
if (verbs.indexOf(verb) < 0) return {result: "error", message: "There is no verb " + verb + "."};
var command = "/usr/local/lib/lifeboat/node " + verb;
if (verb == "bind") command += " ${env.envName}";
if (verb == "check") {
    if (!/^\/[A-Za-z0-9._\/-]+$/.test(root)) return {result: "error", message: "The site's directory is not a plain absolute path."};
    command += " " + root;
}
var response = api.env.control.ExecCmdById("${env.envName}", session, getParam("node"), toJSON([{command: command}]), true, "root");
if (response.result != 0) return response;
var answer = toNative(new JSONObject(String(response.responses[0].out)));
if (quiet && answer.type != "error" && answer.type != "warning") return {result: 0};
if (verb == "check" && answer.type == "success") return {result: 0};
return {result: answer.type, message: answer.message};
