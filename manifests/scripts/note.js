// Ends a new configuration with what should be known of it, if there is something.
var note = String(getParam("note") || "");
if (note == "" || note.indexOf("$") == 0) return {result: 0};
return {result: "info", message: "The new configuration is in force.  \n" + note};
