// Two add-ons that back up one site would each take the other's work for a change: only one is let in.
var others = ["wp-backup", "db-backup"], response = api.marketplace.app.GetAddonList({
    envName: "${env.envName}", session: session
});
if (response.result != 0) return response;
for (var i = 0; i < response.apps.length; i++) {
    var app = response.apps[i];
    if (app.isInstalled && others.indexOf(String(app.app_id)) >= 0) {
        return {
            result: "warning",
            message: "The add-on " + app.app_id + " is installed here. Uninstall it first: its backups stay, and are taken over."
        };
    }
}
return {result: 0};
