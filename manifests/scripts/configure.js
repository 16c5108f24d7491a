// Has the node write its configuration from the form. Every value is of a closed alphabet before it becomes a word of a command. Called
// before the storage is exchanged too, with `only`, to refuse a form by then.
function value(name) {
    var text = String(getParam(name) === null || getParam(name) === undefined ? "" : getParam(name));
    return text.indexOf("$") == 0 ? "" : text;
}

function checked(name, pattern, what) {
    var text = value(name);
    if (!pattern.test(text)) throw what + " is not usable: " + text.replace(/[^A-Za-z0-9 ._:\/-]/g, "?");
    return text;
}

function words() {
    var kind = value("scheduleType") || "1", days = [], all = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    var said = ["KIND=" + kind];
    if (kind == "1") said.push("EVERY=" + checked("every", /^(hourly|daily|weekly|monthly)$/, "The interval"));
    if (kind == "2") {
        for (var i = 0; i < all.length; i++) if (value(all[i]) == "true") days.push(all[i]);
        if (days.length == 0) throw "Choose at least one day.";
        said.push("TIME=" + checked("backupTime", /^([01][0-9]|2[0-3]):[0-5][0-9]$/, "The time"), "DAYS=" + days.join(","));
    }
    if (kind == "3") said.push("CRON=" + checked("cronTime", /^([0-9A-Za-z*,\/-]+ +){4,5}[0-9A-Za-z*,\/-]+$/, "The crontab"));
    said.push("ZONE=" + checked("tz", /^[A-Za-z][A-Za-z0-9_+\/-]*$/, "The time zone"));
    said.push("COUNT=" + checked("backupCount", /^([1-9]|[12][0-9]|30)$/, "The number of backups"));
    said.push("ROOT=" + checked("siteRoot", /^\/[A-Za-z0-9._\/-]+$/, "The site's directory"));
    said.push("UNMOUNT=" + (value("isAlwaysUmount") == "true" ? "true" : "false"));
    return said;
}

var command = "/usr/local/lib/lifeboat/node configure";
try {
    var said = words();
    for (var i = 0; i < said.length; i++) command += " '" + said[i] + "'";
} catch (problem) {
    return {result: "error", message: String(problem)};
}
if (String(getParam("only") || "") == "check") return {result: 0};
var node = getParam("node");
var response = api.env.control.ExecCmdById("${env.envName}", session, node, toJSON([{command: command}]), true, "root");
if (response.result != 0) return response;
var answer = toNative(new JSONObject(String(response.responses[0].out)));
if (answer.type != "success") return {result: answer.type, message: answer.message};
var note = String(answer.note || "");
if (value("isAlwaysUmount") != "true") return {result: 0, note: note};
// A run that goes on asks for it at its end.
command = "/usr/local/lib/lifeboat/node away";
response = api.env.control.ExecCmdById("${env.envName}", session, node, toJSON([{command: command}]), true, "root");
if (response.result != 0) return response;
if (toNative(new JSONObject(String(response.responses[0].out))).away == false) return {result: 0, note: note};
response = api.env.file.RemoveMountPointById("${env.envName}", session, node, "/opt/backup");
return response.result == 0 ? {result: 0, note: note} : response;
