//! Wrong manifests, each made from the real one by one mistake that somebody makes, and each refused where the mistake is.

use super::lint::lint;
use super::{beside, manifest};

/// What is replaced (once, in the manifest, or in the file named), by what, and the place and the reason that must be told.
struct Mistake(&'static str, &'static str, &'static str, &'static str, &'static str);

/// In the manifest itself.
const MANIFEST: &str = "backup.jps";

const MISTAKES: &[Mistake] = &[
    // The document.
    Mistake(MANIFEST, "\nmenu:\n", "\nmenu: [\n", ".", "not YAML"),
    Mistake(MANIFEST, "\nid: lifeboat\n", "\nid: lifeboat\nid: other\n", ".", "not YAML: duplicate"),
    Mistake(MANIFEST, "\ncategories:", "\ncategorys:", "categorys", "knows no such key"),
    Mistake(MANIFEST, "type: update", "type: addon", "type", "neither install nor update"),
    Mistake(MANIFEST, "\nid: lifeboat\n", "\n", "id", "is missing"),
    Mistake(MANIFEST, "\njpsVersion: 6.1.1", "", "jpsVersion", "is missing"),
    Mistake(MANIFEST, "\ntargetEditions: any", "\nengine: php8", "engine", "make an environment"),
    Mistake(MANIFEST, "\nbaseUrl: https:", "\nbaseUrl: http:", "baseUrl", "not an https address"),
    Mistake(MANIFEST, "targetNodes:\n  nodeGroup: [cp]\n", "", "targetNodes", "shown nowhere"),
    Mistake(
        MANIFEST,
        "  nodeGroup: [cp]",
        "  nodeGroup: [web]",
        "targetNodes.nodeGroup",
        "no node group web",
    ),
    Mistake(
        MANIFEST,
        "  nodeGroup: [cp]",
        "  nodeGroups: [cp]",
        "targetNodes.nodeGroups",
        "knows no such key",
    ),
    Mistake(MANIFEST, "  programHash: 0", "  programHash: x", "globals.programHash", "not a SHA-256"),
    // Forms.
    Mistake(
        MANIFEST,
        "type: spinner",
        "type: spiner",
        "settings.main.fields[3].type",
        "no type of field spiner",
    ),
    Mistake(
        MANIFEST,
        "        max: 30",
        "        max: 3\n        step: 2",
        "settings.main.fields[3].step",
        "knows no such key",
    ),
    Mistake(
        MANIFEST,
        "        max: 30",
        "        max: 3",
        "settings.main.fields[3].default",
        "not between 1 and 3",
    ),
    Mistake(
        MANIFEST,
        "        min: 1\n",
        "        min: 31\n",
        "settings.main.fields[3].max",
        "below the minimum",
    ),
    Mistake(
        MANIFEST,
        "        name: backupCount\n",
        "",
        "settings.main.fields[3].name",
        "could not be asked for",
    ),
    Mistake(MANIFEST, "name: siteRoot", "name: tz", "settings.main.fields[4].name", "another field"),
    Mistake(
        MANIFEST,
        "default: '1'",
        "default: '4'",
        "settings.main.fields[0].default",
        "none of the values",
    ),
    Mistake(
        MANIFEST,
        "          '3':\n            - type",
        "          '4':\n            - type",
        "settings.main.fields[0].showIf.4",
        "none of the values",
    ),
    Mistake(
        MANIFEST,
        "[01][0-9]|2",
        "[01[0-9]|2",
        "settings.main.fields[0].showIf.2[0].regex",
        "no fitting pattern",
    ),
    Mistake(
        MANIFEST,
        "default: '09:00'",
        "default: '9:00'",
        "settings.main.fields[0].showIf.2[0].regex",
        "refuses its own default",
    ),
    Mistake(
        MANIFEST,
        "        required: true",
        "        required: 'yes'",
        "settings.main.fields[2].required",
        "neither true nor false",
    ),
    Mistake(
        MANIFEST,
        "        required: true\n        values: []",
        "        required: true",
        "settings.main.fields[2].values",
        "nothing to choose",
    ),
    Mistake(
        MANIFEST,
        "onBeforeInit: scripts/form-restore.js",
        "onBeforeInit: scripts/restore-form.js",
        "settings.restore.onBeforeInit",
        "no file scripts/restore-form.js",
    ),
    Mistake(
        MANIFEST,
        "  purge:\n    submitUnchanged: true",
        "  purge:",
        "settings.purge",
        "has no submitUnchanged",
    ),
    // Buttons.
    Mistake(
        MANIFEST,
        "    action: backupNow",
        "    action: backupnow",
        "buttons[0].action",
        "no action backupnow",
    ),
    Mistake(
        MANIFEST,
        "    settings: restore\n",
        "    settings: restores\n",
        "buttons[2].settings",
        "no form restores",
    ),
    Mistake(MANIFEST, "    settings: main\n", "", "buttons[1].title", "this button has none"),
    Mistake(MANIFEST, "caption: Drill", "caption: Status", "menu[1].caption", "there is another Status"),
    Mistake(
        MANIFEST,
        "    loadingText: Restoring...",
        "    loading: Restoring...",
        "buttons[2].loading",
        "knows no such key",
    ),
    // Events.
    Mistake(
        MANIFEST,
        "onAfterScaleIn [cp]",
        "onAfterScaledIn [cp]",
        "onAfterScaledIn [cp]",
        "no event onAfterScaledIn",
    ),
    Mistake(
        MANIFEST,
        "onAfterConfirmTransfer:",
        "onBeforeConfirmTransfer:",
        "onBeforeConfirmTransfer",
        "no event onBeforeConfirmTransfer",
    ),
    Mistake(
        MANIFEST,
        "onAfterAddNode [cp]",
        "onAfterAddNode [pc]",
        "onAfterAddNode [pc]",
        "no node group pc",
    ),
    Mistake(
        MANIFEST,
        "onCustomNodeEvent [name:lifeboat-result]",
        "onCustomNodeEvent",
        "onCustomNodeEvent",
        "hear everybody's",
    ),
    Mistake(
        MANIFEST,
        "onCustomNodeEvent [name:lifeboat-mount]",
        "onCustomNodeEvent [event:lifeboat-mount]",
        "onCustomNodeEvent [event:lifeboat-mount]",
        "no property of an event",
    ),
    // Actions.
    Mistake(MANIFEST, "\n  - bind\n", "\n  - binding\n", "onInstall[5]", "no action binding"),
    Mistake(
        MANIFEST,
        "    - apply\n    - spread\n",
        "    - apply\n    - spreads\n",
        "actions.configure[4]",
        "no action spreads",
    ),
    Mistake(
        MANIFEST,
        "    - refuseWhileRestoring: {what: new configuration}",
        "    - refuseWhileRestoring",
        "actions.configure[0]",
        "not given what",
    ),
    Mistake(
        MANIFEST,
        "        stopEvent:\n          type: error\n          message: The name",
        "        stopEvent:\n          type: fatal\n          message: The name",
        "actions.checkName[0].if (!/^[a-z0-9][a-z0-9-]*$/.test('${env.envName}')).stopEvent.type",
        "neither error nor warning",
    ),
    Mistake(
        MANIFEST,
        "          type: warning\n          message: A restore",
        "          type: warning\n          text: A restore",
        "actions.refuseWhileRestoring[1].if ('${response.restoring}' == 'true').stopEvent.message",
        "is missing",
    ),
    Mistake(
        MANIFEST,
        "if ('${response.restoring}' == 'true')",
        "if ('${response.restoring}' == )",
        "actions.refuseWhileRestoring[1].if ('${response.restoring}' == )",
        "is no condition",
    ),
    Mistake(
        MANIFEST,
        "if ('${response.restoring}' == 'true')",
        "else",
        "actions.refuseWhileRestoring[1].else",
        "follows no if",
    ),
    Mistake(MANIFEST, "  - install:\n", "  - installs:\n", "onAfterClone[1].installs", "no action installs"),
    Mistake(
        MANIFEST,
        "  undo:\n    - ask: {verb: undo}",
        "  undo:\n    - undo",
        "actions.undo",
        "would never end",
    ),
    Mistake(MANIFEST, "  - checkConflicts\n", "", "actions.checkConflicts", "called by nothing"),
    Mistake(
        MANIFEST,
        "  - spread\nonUninstall",
        "  - env.control.MountAll: {}\nonUninstall",
        "onInstall[8].env.control.MountAll",
        "no action env.control.MountAll",
    ),
    // Commands, placeholders and scripts.
    Mistake(
        MANIFEST,
        "mkdir -p \"$place\"",
        "mkdir -p \"${PLACE}\"",
        "actions.installProgram.cmd [cp]",
        "never reaches the shell",
    ),
    Mistake(
        MANIFEST,
        "mkdir -p \"$place\"",
        "mkdir -p '${settings.siteRoot}'",
        "actions.installProgram.cmd [cp]",
        "somebody's text",
    ),
    Mistake(
        MANIFEST,
        "        chmod 755 \"$2.part\"",
        "        if chmod 755 \"$2.part\"",
        "actions.installProgram.cmd [cp]",
        "no script of a shell",
    ),
    Mistake(MANIFEST, "    user: root\n", "", "actions.installProgram.cmd [cp]", "names no user"),
    Mistake(MANIFEST, "cmd [cp]", "cmd [app]", "actions.installProgram.cmd [app]", "no node group app"),
    Mistake(MANIFEST, "'${user.email}'", "'${user.mail}'", "actions.report.params.to", "refers to mail"),
    Mistake(
        MANIFEST,
        "name: '${settings.purgeName}'",
        "name: '${settings.purge}'",
        "actions.markPurge.params.name",
        "field that no form has",
    ),
    Mistake(
        MANIFEST,
        "      envName: ${event.response.env.envName}",
        "      envName: ${events.response.env.envName}",
        "onAfterClone[1].install.envName",
        "no placeholder",
    ),
    Mistake(MANIFEST, "**${env.domain}**", "**${env.domain**", "success", "does not end"),
    Mistake(
        MANIFEST,
        "      at: ${settings.restoreAt}\n",
        "",
        "actions.restore.script",
        "asks for the parameter at",
    ),
    Mistake(
        MANIFEST,
        "    params: {storage: '', node: '${nodes.cp.master.id}'}",
        "    params: {storage: '', nodes: '${nodes.cp.master.id}'}",
        "actions.reattach.script",
        "asks for the parameter node",
    ),
    Mistake(
        "scripts/busy.js",
        "restoring = answer.restoring == true;",
        "restoring = (answer.restoring == true;",
        "scripts/busy.js",
        "is no script",
    ),
    Mistake(
        "scripts/detach.js",
        "api.env.file.RemoveMountPointById",
        "api.env.file.Unmount",
        "scripts/detach.js",
        "no method env.file.Unmount",
    ),
    Mistake(
        "scripts/purge.js",
        "\"${env.envName}\"",
        "${env.envName}",
        "scripts/purge.js",
        "outside of a string",
    ),
];

#[test]
fn each_mistake_is_named_where_it_is() {
    assert!(MISTAKES.len() >= 40, "{} mistakes", MISTAKES.len());
    let mut missed = Vec::new();
    for Mistake(file, from, to, place, reason) in MISTAKES {
        let original = if *file == MANIFEST { manifest(file) } else { beside(file).unwrap() };
        assert!(original.contains(from), "{file} has no {from:?}");
        let wrong = original.replacen(from, to, 1);
        let text = if *file == MANIFEST { wrong.clone() } else { manifest(MANIFEST) };
        let files = |name: &str| if name == *file { Some(wrong.clone()) } else { beside(name) };
        let problems = lint(&text, &files);
        let found = problems
            .iter()
            .find(|problem| problem.place.starts_with(place) && problem.reason.contains(reason));
        match found {
            None => missed.push(format!("{to:?}: wanted {place}: {reason}\n  got {problems:?}")),
            // The line is that of the mistake, or of the action, text or list that it is in.
            Some(found) if *file == MANIFEST && to.len() > 12 && !place.starts_with('.') => {
                let at = wrong[..wrong.find(to).unwrap()].lines().count();
                let long_text = ["cmd", "success"].iter().any(|long| place.contains(long));
                if !(long_text && found.line < at) && found.line.abs_diff(at) > 4 {
                    missed.push(format!("{to:?} is at {at}: {found}"));
                }
            }
            Some(_) => {}
        }
    }
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}
