// Gives the storage another size; what is on it stays, so that it can only grow beyond what is used.
var size = Number(getParam("size"));
if (!(size >= 5)) return {result: "error", message: "The size is not a number of gigabytes."};
return api.env.control.SetDiskLimitByGroup("${env.envName}", session, "storage", size * 1000);
