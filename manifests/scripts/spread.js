// Gives each node of the layer what it needs to take the backups over when the node that makes them is removed: its configuration,
// its password and its key. They pass through the platform's own channel to root, which reaches both nodes anyway.
var own = "${env.envName}", master = String(getParam("node")), info = api.env.control.GetEnvInfo(own, session), nodes = [], source = null;
if (info.result != 0) return info;

function ask(id, words) {
    var command = "/usr/local/lib/lifeboat/node " + words;
    var response = api.env.control.ExecCmdById(own, session, id, toJSON([{command: command}]), true, "root");
    if (response.result != 0) return {type: "error", message: response.error || "Node " + id + " does not answer."};
    return toNative(new JSONObject(String(response.responses[0].out)));
}

// Who only stands by reaches no backups.
function leave(id) {
    var points = api.env.file.GetMountPoints(own, session, id);
    for (var m = 0; points.result == 0 && m < points.array.length; m++) {
        if (points.array[m].path == "/opt/backup") api.env.file.RemoveMountPointById(own, session, id, "/opt/backup");
    }
}

for (var i = 0; i < info.nodes.length; i++) if (info.nodes[i].nodeGroup == "cp") nodes.push(String(info.nodes[i].id));
// The master itself if it knows the site, else any that does.
nodes.sort(function (a, b) { return a == master ? -1 : b == master ? 1 : 0; });
for (var j = 0; j < nodes.length && !source; j++) if (ask(nodes[j], "knows").knows) source = nodes[j];
if (!source) {
    return {result: "error", message: "No node has the password of the backups any more. Put it into /etc/lifeboat/password, and press Configure."};
}
var satchel = nodes.length > 1 ? ask(source, "pack").satchel : "";
for (var k = 0; k < nodes.length; k++) {
    if (nodes[k] != source) {
        var answer = ask(nodes[k], "unpack <<'SATCHEL'\n" + satchel + "\nSATCHEL\n");
        if (answer.type == "error") return {result: "error", message: answer.message};
    }
    var told = ask(nodes[k], nodes[k] == master ? "active ${env.envName}" : "spare");
    if (told.type == "error") return {result: "error", message: told.message};
    if (nodes[k] != master) leave(nodes[k]);
}
return {result: 0};
