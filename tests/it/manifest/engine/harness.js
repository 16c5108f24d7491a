// Runs the scripts of a manifest as the platform does: one line of JSON asks, calls of the platform's methods go back and forth,
// and one line of JSON is the end.
const fs = require("fs");
let rest = Buffer.alloc(0);

function line() {
    for (;;) {
        const at = rest.indexOf(10);
        if (at >= 0) {
            const said = rest.subarray(0, at).toString();
            rest = rest.subarray(at + 1);
            return JSON.parse(said);
        }
        const more = Buffer.alloc(65536);
        const read = fs.readSync(0, more);
        if (read === 0) process.exit(0);
        rest = Buffer.concat([rest, more.subarray(0, read)]);
    }
}

function say(value) {
    const text = Buffer.from(JSON.stringify(value) + "\n");
    for (let at = 0; at < text.length;) at += fs.writeSync(1, text, at);
}

// api.env.control.GetEnvs(...) for every name there may be.
function method(path) {
    return new Proxy(function () {}, {
        get: (_, name) => method(path ? path + "." + String(name) : String(name)),
        apply: (_, __, args) => {
            say({call: path, args});
            return line().value;
        },
    });
}

class JSONObject {
    constructor(text) { this.value = JSON.parse(text); }
}

function run({body, params, session, appid, signature, settings, jps, MANIFEST}) {
    const given = {
        api: method(""), jelastic: method(""), session, appid, signature, settings, jps, MANIFEST, JSONObject,
        getParam: (name) => (params && name in params ? params[name] : null),
        toJSON: (value) => JSON.stringify(value), toNative: (value) => value.value,
    };
    return new Function(...Object.keys(given), body)(...Object.values(given));
}

for (;;) {
    const asked = line();
    try {
        const value = asked.condition !== undefined ? !!new Function("return (" + asked.condition + ");")() : run(asked);
        say({done: value === undefined ? null : value});
    } catch (error) {
        say({error: String(error && error.stack || error)});
    }
}
