// Mails how a run ended, once for each run: what failed or is incomplete, and every restore.
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
return {result: 0};
