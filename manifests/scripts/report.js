// Mails how a run ended, once for each run: what failed or is incomplete, and every restore. Gives back what was borrowed for one.
var command = "/usr/local/lib/lifeboat/node untold";
var response = api.env.control.ExecCmdById("${env.envName}", session, getParam("node"), toJSON([{command: command}]), true, "root");
if (response.result != 0) return response;
var runs = toNative(new JSONObject(String(response.responses[0].out))).runs || [], to = getParam("to");
for (var i = runs.length - 1; i >= 0; i--) {
    var run = runs[i], ended = run.outcome || "crashed";
    if (ended == "success" && run.kind != "restore") continue;
    if (ended == "skipped" || ended == "cancelled") continue;
    var subject = "${env.envName}: " + run.kind + " " + ended, text = "Run " + run.id + " of ${env.domain}: " + ended + ".";
    if (run.error) text += "\n\n" + run.error;
    if (run.remedy) text += "\n\nWhat to do: " + run.remedy;
    if (run.missed_count) text += "\n\n" + run.missed_count + " things are missing from it.";
    api.message.email.Send(appid, signature, null, to, to, subject, text);
}

function ask(envName, nodeId, words) {
    var command = "/usr/local/lib/lifeboat/node " + words;
    var response = api.env.control.ExecCmdById(envName, session, nodeId, toJSON([{command: command}]), true, "root");
    return response.result == 0 ? toNative(new JSONObject(String(response.responses[0].out))) : {type: "error", message: response.error};
}

var own = "${env.envName}", lent = ask(own, getParam("node"), "borrowed");
if (!lent.key) return {result: 0};
var info = api.env.control.GetEnvInfo(String(lent.from), session), taken = {type: "error"};
for (var j = 0; info.result == 0 && j < info.nodes.length; j++) {
    if (info.nodes[j].nodeGroup == "cp" && info.nodes[j].ismaster) taken = ask(String(lent.from), info.nodes[j].id, "take-back " + lent.key);
}
api.env.file.RemoveMountPointById(own, session, getParam("node"), "/opt/lent");
var report = "The restore of a backup of " + lent.from + " has ended.\n\n" + lent.said;
if (taken.type == "error") {
    report += "\n\nThe key " + lent.key + " that " + lent.from + " lent could not be taken back: remove it there (lifeboat key remove).";
}
api.message.email.Send(appid, signature, null, to, to, own + ": restore from " + lent.from, report);
ask(own, getParam("node"), "returned");
return {result: 0};
