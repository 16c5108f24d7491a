// Mounts the storage on the node that backs up. Each environment is given its own directory of the storage, so that a site that was
// broken into reaches nobody else's backups; where that is refused, or another add-on's backups are to be taken over, the whole
// of it, which is said.
var POINT = "/opt/backup", NAME = "Lifeboat", own = "${env.envName}", node = getParam("node");

function run(envName, nodeId, command) {
    return api.env.control.ExecCmdById(envName, session, nodeId, toJSON([{command: command}]), true, "root");
}

function answerOf(response) {
    return toNative(new JSONObject(String(response.responses[0].out)));
}

function masterOf(nodes) {
    var first = null;
    for (var i = 0; i < nodes.length; i++) {
        if (nodes[i].nodeGroup != "storage") continue;
        if (nodes[i].ismaster) return nodes[i];
        first = first || nodes[i];
    }
    return first;
}

function isOwn(point) {
    return point.path == POINT;
}

// The source's path is the same on every storage. Whose it is, not every platform says.
function isFrom(point, source, master) {
    if (String(point.sourcePath).replace(/\/+$/, "") != source) return false;
    if (point.sourceNodeId) return String(point.sourceNodeId) == String(master.id);
    var host = String(point.sourceHost || point.sourceAddress || "");
    return !host || host == String(master.intIP) || host == String(master.address);
}

function mounted(source, master) {
    var response = api.env.file.GetMountPoints(own, session, node);
    if (response.result != 0) return false;
    for (var i = 0; i < response.array.length; i++) {
        if (!isOwn(response.array[i])) continue;
        if (!another && isFrom(response.array[i], source, master)) return true;
        api.env.file.RemoveMountPointById(own, session, node, POINT);
    }
    return false;
}

function add(source, master) {
    if (mounted(source, master)) return {result: 0};
    var response = api.env.file.AddMountPointById(own, session, node, POINT, "nfs4", null, source, master.id, NAME, false);
    // Somebody else, an event say, was faster.
    return response.result == 2031 ? {result: 0} : response;
}

var storage = String(getParam("storage") || ""), only = String(getParam("only") || "");
var response = run(own, node, "/usr/local/lib/lifeboat/node form");
if (response.result != 0) return only ? {result: 0} : response;
var conf = answerOf(response).conf;
if (!storage || storage.indexOf("$") == 0) storage = String(conf.STORAGE || "");
if (only == "purge" && conf.PURGE != "true") return {result: 0};
if (!/^[a-z0-9][a-z0-9-]*$/.test(storage)) return {result: "error", message: "No backup storage is chosen: choose one with Configure."};
if (!/^[a-z0-9][a-z0-9-]*$/.test(own)) return {result: "error", message: "The name of this environment cannot be part of a path."};
response = api.env.control.GetEnvInfo(storage, session);
if (response.result == 11) return {result: "error", message: "The backup storage " + storage + " is gone: choose another one with Configure."};
if (response.result != 0) return response;
if (response.env.status != 1) return {result: "error", message: "The backup storage " + storage + " does not run: start it."};
var master = masterOf(response.nodes);
if (!master) return {result: "error", message: "The environment " + storage + " has no storage node."};

// The other add-ons keep a repository at /data/<environment> itself; ours is one directory deeper.
var look = "mkdir -p -m 0700 /data/" + own + " && if [ -f /data/" + own + "/config ]; then echo theirs; else echo ours; fi";
response = run(storage, master.id, look);
if (response.result != 0) return response;
var theirs = String(response.responses[0].out).replace(/\s+/g, "") == "theirs";
var source = theirs ? "/data" : "/data/" + own;
// What was agreed stays: another way to the same backups is another storage to the node.
var agreed = conf.FIXED == storage && conf.EXPORT;
// What is mounted is the former storage's, whatever its path says.
var another = conf.FIXED && conf.FIXED != storage;
if (agreed) source = conf.EXPORT;
response = add(source, master);
if (response.result != 0 && !theirs && !agreed) {
    source = "/data";
    response = add(source, master);
}
if (response.result != 0) return response;
var repository = theirs ? own : (source == "/data" ? own + "/repository" : "repository");
if (agreed) repository = conf.REPOSITORY;
response = run(own, node, "/usr/local/lib/lifeboat/node connect " + [storage, master.intIP || master.address, source, repository].join(" "));
if (response.result != 0) return response;
var answer = answerOf(response);
return answer.type == "error" ? {result: "error", message: answer.message} : {result: 0, whole: source == "/data"};
