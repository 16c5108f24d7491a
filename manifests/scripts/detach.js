// Takes the storage away from the node again; harmless where it is not mounted.
var response = api.env.file.GetMountPoints("${env.envName}", session, getParam("node"));
if (response.result != 0) return response;
for (var i = 0; i < response.array.length; i++) {
    if (response.array[i].path != "/opt/backup") continue;
    var removed = api.env.file.RemoveMountPointById("${env.envName}", session, getParam("node"), "/opt/backup");
    if (removed.result != 0) return removed;
}
return {result: 0};
