// The nodes of the storage, by the form.
var cluster = String(settings.topology) == "cluster";
return {
    result: 0,
    nodes: [{
        nodeType: "storage", nodeGroup: "storage", displayName: "Backup storage", cloudlets: 6,
        count: cluster ? Number(settings.nodes) : 1, cluster: cluster, diskLimit: Number(settings.size) * 1000
    }]
};
