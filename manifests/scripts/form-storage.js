// Bounds the form of the storage by what this account may have.
function quota(name) {
    var response = api.billing.account.GetQuotas(name);
    if (response.result != 0 || !response.array || response.array.length == 0) return null;
    return Number(response.array[0].value);
}

var disk = quota("storage.node.disk.limitation"), count = quota("environment.maxsamenodescount");
for (var i = 0; i < settings.fields.length; i++) {
    var field = settings.fields[i];
    if (field.name == "size" && disk) field.max = Math.max(5, Math.floor(disk / 1000));
    // A cluster needs an odd number of nodes to know which half is right.
    if (field.name == "topology" && count) field.showIf.cluster[0].max = Math.max(3, Math.min(7, count - (count + 1) % 2));
}
return settings;
