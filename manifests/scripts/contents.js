// Lists whose backups are here, and how much room they take.
var command = "df -h /data | tail -n 1; du -sh /data/*/ 2>/dev/null | sort -k 2";
var response = api.env.control.ExecCmdById("${env.envName}", session, getParam("node"), toJSON([{command: command}]), true, "root");
if (response.result != 0) return response;
return {result: "info", message: String(response.responses[0].out).replace(/\n/g, "  \n") || "There are no backups yet."};
