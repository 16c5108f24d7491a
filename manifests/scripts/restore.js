// Begins a restore. From another environment, that one lends a key that holds for this restore alone.
var own = "${env.envName}", node = getParam("node");
var from = String(getParam("from")), at = String(getParam("at")), part = String(getParam("part"));

function ask(envName, nodeId, words) {
    var command = "/usr/local/lib/lifeboat/node " + words;
    var response = api.env.control.ExecCmdById(envName, session, nodeId, toJSON([{command: command}]), true, "root");
    if (response.result != 0) return {type: "error", unanswered: true, message: response.error || "The node does not answer."};
    return toNative(new JSONObject(String(response.responses[0].out)));
}

if (from.indexOf("$") == 0 || from == "") from = own;
if (part.indexOf("$") == 0) part = "all";
if (!/^[a-z0-9][a-z0-9-]*$/.test(from)) return {result: "error", message: "There is no such environment."};
if (!/^[0-9A-Za-z][0-9A-Za-z:_+.-]*$/.test(at)) return {result: "error", message: "Choose a backup."};
if (["all", "files", "database"].indexOf(part) < 0) return {result: "error", message: "Choose what to restore."};

function storageOf(name) {
    var info = api.env.control.GetEnvInfo(name, session), first = null;
    for (var i = 0; info.result == 0 && i < info.nodes.length; i++) {
        if (info.nodes[i].nodeGroup != "storage") continue;
        if (info.nodes[i].ismaster) return info.nodes[i];
        first = first || info.nodes[i];
    }
    return first;
}

function masterOf(info) {
    for (var i = 0; i < info.nodes.length; i++) {
        if (info.nodes[i].nodeGroup == "cp" && info.nodes[i].ismaster) return info.nodes[i].id;
    }
    return null;
}

// Whether a restore is at work here, whoever began it.
function restoring() {
    var busy = ask(own, node, "busy"), runs = busy.runs || [];
    for (var i = 0; i < runs.length; i++) {
        if (runs[i].standing == "running" && (runs[i].kind == "restore" || runs[i].kind == "recover")) return true;
    }
    return busy.restoring == true;
}

function giveBack(lenderEnv, key, keepsMount) {
    var info = api.env.control.GetEnvInfo(lenderEnv, session), taken = {type: "error"};
    if (info.result == 0 && masterOf(info)) taken = ask(lenderEnv, masterOf(info), "take-back " + key);
    if (!keepsMount) api.env.file.RemoveMountPointById(own, session, node, "/opt/lent");
    return taken.type != "error";
}

// The other environment's storage, beside this one's, for as long as the restore lasts: report.js gives both back.
function borrow() {
    if (restoring()) return {type: "warning", message: "A restore is under way here: wait for its end. The menu entry Status shows how far it is."};
    // What nobody gave back after it had ended, because its event was lost: the next one would forget the key.
    var left = ask(own, node, "borrowed");
    if (left.key && !giveBack(String(left.from), left.key, false)) {
        return {type: "error", message: "The key " + left.key + " that " + left.from + " lent for a former restore could not be taken back: remove it there (lifeboat key remove), and /var/lib/lifeboat/lent on this node."};
    }
    if (left.key) ask(own, node, "returned");
    var info = api.env.control.GetEnvInfo(from, session);
    if (info.result != 0 || !masterOf(info)) return {type: "error", message: "The environment " + from + " does not answer."};
    var lender = masterOf(info), storage = storageOf(String(ask(from, lender, "form").conf.STORAGE));
    if (!storage) return {type: "error", message: "The backup storage of " + from + " does not answer."};
    var lent = ask(from, lender, "lend");
    if (lent.type != "success") return lent;
    var mounted = api.env.file.AddMountPointById(own, session, node, "/opt/lent", "nfs4", null, String(lent["export"]), storage.id, "LifeboatLent", false);
    if (mounted.result != 0 && mounted.result != 2031) {
        ask(from, lender, "take-back " + lent.key);
        return {type: "error", message: "The backups of " + from + " cannot be mounted here: " + mounted.error};
    }
    var words = ["borrow", from, lent.key, lent.server, lent["export"], lent.repository, at, part, info.env.domain, "${env.domain}"];
    var began = ask(own, node, words.join(" ") + " <<'PASSWORD'\n" + lent.password + "\nPASSWORD\n");
    // What a job came to, report.js tells, and gives back; here, none began.
    // What was mounted before is another restore's, which was faster.
    if (began.refused || (began.unanswered && !restoring())) giveBack(from, lent.key, mounted.result == 2031);
    return began;
}

var answer = from == own ? ask(own, node, ["restore", at, part].join(" ")) : borrow();
return {result: answer.type, message: answer.message};
