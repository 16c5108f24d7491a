// Begins a restore. From another environment, that one lends a key that holds for this restore alone.
var own = "${env.envName}", node = getParam("node");
var from = String(getParam("from")), at = String(getParam("at")), part = String(getParam("part"));

function ask(envName, nodeId, words) {
    var command = "/usr/local/lib/lifeboat/node " + words;
    var response = api.env.control.ExecCmdById(envName, session, nodeId, toJSON([{command: command}]), true, "root");
    if (response.result != 0) return {type: "error", message: response.error || "The node does not answer."};
    return toNative(new JSONObject(String(response.responses[0].out)));
}

if (from.indexOf("$") == 0 || from == "") from = own;
if (part.indexOf("$") == 0) part = "all";
if (!/^[a-z0-9][a-z0-9-]*$/.test(from)) return {result: "error", message: "There is no such environment."};
if (!/^[0-9A-Za-z][0-9A-Za-z:_+.-]*$/.test(at)) return {result: "error", message: "Choose a backup."};
if (["all", "files", "database"].indexOf(part) < 0) return {result: "error", message: "Choose what to restore."};
var answer;
if (from == own) {
    answer = ask(own, node, ["restore", at, part].join(" "));
} else {
    answer = {type: "warning", message: "Backups of " + from + " come back there. To bring them here, see manifests/README.md."};
}
return {result: answer.type, message: answer.message};
