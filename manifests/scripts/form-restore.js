// Fills the form of a restore: environments that have backups, and the moments of each.
function warning(text) {
    return {type: "displayfield", cls: "warning", name: "warning", hideLabel: true, markup: text};
}

// What a node says about its backups; null where there is no add-on of ours, or it does not answer.
function listed(envName, nodeId) {
    var command = "/usr/local/lib/lifeboat/node list";
    var response = api.env.control.ExecCmdById(envName, session, nodeId, toJSON([{command: command}]), true, "root");
    if (response.result != 0) return null;
    return toNative(new JSONObject(String(response.responses[0].out)));
}

function moments(snapshots) {
    var values = [];
    for (var i = snapshots.length - 1; i >= 0; i--) {
        var one = snapshots[i], time = String(one.time), marks = [];
        if ((one.tags || []).indexOf("safety") >= 0) marks.push("before a restore");
        if (!one.complete) marks.push("incomplete");
        if (one.adopted) marks.push("taken over");
        values.push({
            value: String(one.id).substring(0, 16),
            caption: time.substring(0, 10) + " " + time.substring(11, 19) + " UTC" + (marks.length ? " (" + marks.join(", ") + ")" : "")
        });
    }
    return values;
}

function masterOf(info) {
    for (var i = 0; i < info.nodes.length; i++) {
        if (info.nodes[i].nodeGroup == "cp" && info.nodes[i].ismaster) return info.nodes[i].id;
    }
    return null;
}

var own = "${env.envName}", envs = [], byEnv = {}, problem = "", response = api.env.control.GetEnvs();
for (var i = 0; response.result == 0 && i < response.infos.length; i++) {
    var info = response.infos[i], name = info.env.envName, node = masterOf(info);
    if (!/^[a-z0-9][a-z0-9-]*$/.test(name) || info.env.status != 1 || !node) continue;
    var answer = listed(name, node);
    if (name == own && answer && answer.message) problem = answer.message;
    if (!answer || !answer.snapshots || answer.snapshots.length == 0) continue;
    byEnv[name] = moments(answer.snapshots);
    envs[name == own ? "unshift" : "push"]({value: name, caption: name});
}
settings.fields = [];
if (problem) settings.fields.push(warning(problem));
if (envs.length == 0) {
    if (!problem) settings.fields.push(warning("There is no backup yet."));
    return settings;
}
settings.fields.push({type: "list", name: "restoreEnv", caption: "Restore from", required: true, values: envs, "default": envs[0].value});
settings.fields.push({type: "list", name: "restoreAt", caption: "Backup", required: true, dependsOn: {restoreEnv: byEnv}});
settings.fields.push({
    type: "list", name: "restorePart", caption: "What", required: true, "default": "all",
    values: [
        {value: "all", caption: "Files and databases"},
        {value: "files", caption: "Files alone"},
        {value: "database", caption: "Databases alone"}
    ]
});
return settings;
