// Fills the form of the schedule: which storages there are, and, once installed, what is in force. Called before the add-on is
// installed (with the whole manifest) and by Configure (with the form). Fields are found by their names, never by their places.
var form = settings.fields ? settings : jps.settings.main;

function find(fields, name) {
    for (var i = 0; i < fields.length; i++) {
        var field = fields[i];
        if (field.name == name) return field;
        var inner = field.items ? find(field.items, name) : null;
        for (var key in field.showIf || {}) inner = inner || find(field.showIf[key], name);
        if (inner) return inner;
    }
    return null;
}

function isStorage(info) {
    var groups = info.envGroups || [], properties = info.env.properties || {};
    if (info.env.status != 1) return false;
    for (var i = 0; i < groups.length; i++) {
        var name = groups[i].name || groups[i];
        if (name == "Backup storage nodes" || name == "WP Backup") return true;
    }
    return properties.projectScope == "backup";
}

function storages() {
    var response = api.env.control.GetEnvs(), values = [];
    if (response.result != 0) return values;
    for (var i = 0; i < response.infos.length; i++) {
        var info = response.infos[i];
        if (isStorage(info) && /^[a-z0-9][a-z0-9-]*$/.test(info.env.envName)) {
            values.push({value: info.env.envName, caption: info.env.displayName || info.env.envName});
        }
    }
    return values;
}

// What the node has in force, as {KEY: value}; null where nothing is installed yet.
function present() {
    if (!settings.fields) return null;
    var master = "${nodes.cp.master.id}";
    if (!/^[0-9]+$/.test(master)) return null;
    var command = "/usr/local/lib/lifeboat/node form";
    var response = api.env.control.ExecCmdById("${env.envName}", session, master, toJSON([{command: command}]), true, "root");
    if (response.result != 0) return null;
    return toNative(new JSONObject(String(response.responses[0].out))).conf;
}

function set(name, value) {
    var field = find(form.fields, name);
    if (field && value) {
        field["default"] = value;
        field.value = value;
    }
}

function prefill(conf) {
    var days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    set("scheduleType", conf.KIND);
    set("every", conf.EVERY);
    set("backupTime", conf.TIME);
    set("cronTime", conf.CRON);
    set("tz", conf.ZONE);
    set("storageName", conf.STORAGE);
    set("backupCount", conf.COUNT);
    set("siteRoot", conf.ROOT);
    for (var i = 0; conf.DAYS && i < days.length; i++) {
        find(form.fields, days[i]).value = conf.DAYS.indexOf(days[i]) >= 0;
    }
    find(form.fields, "isAlwaysUmount").value = conf.UNMOUNT == "true";
}

var values = storages(), conf = present(), list = find(form.fields, "storageName");
list.values = values;
if (values.length > 0) {
    list["default"] = values[0].value;
} else {
    form.fields.unshift({
        type: "displayfield", cls: "warning", name: "noStorage", hideLabel: true,
        markup: "There is no running backup storage in this account. Create one first."
    });
}
if (conf) prefill(conf);
return settings.fields ? settings : {result: 0, settings: jps.settings};
