// Removes the program from all nodes of the layer; on the one that backs up, the backups too, if they were marked.
var own = "${env.envName}", master = String(getParam("node")), info = api.env.control.GetEnvInfo(own, session);
if (info.result != 0) return info;
// The one that backs up first: where it refuses, the others still stand by.
info.nodes.sort(function (a, b) { return String(a.id) == master ? -1 : String(b.id) == master ? 1 : 0; });
for (var i = 0; i < info.nodes.length; i++) {
    var node = info.nodes[i];
    if (node.nodeGroup != "cp") continue;
    var verb = String(node.id) == master ? "uninstall" : "uninstall-spare";
    // What is gone already needs no removing.
    var command = "if [ -x /usr/local/lib/lifeboat/node ]; then /usr/local/lib/lifeboat/node " + verb + "; else echo '{\"result\":0,\"type\":\"success\",\"message\":\"\"}'; fi";
    var response = api.env.control.ExecCmdById(own, session, node.id, toJSON([{command: command}]), true, "root");
    if (response.result != 0) return response;
    var answer = toNative(new JSONObject(String(response.responses[0].out)));
    if (answer.type == "error") return {result: "error", message: answer.message};
}
return {result: 0};
