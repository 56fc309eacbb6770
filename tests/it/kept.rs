//! What a session leaves in the store, from the hook to the row: its files as they were, and whose
//! word each memory rests on.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{prompt, stop};

/// A tool's use in the home directory.
fn used(w: &World, id: &str, tool: &str, input: Value, response: Value) -> Value {
    json!({"session_id": "s", "cwd": w.path("home"), "prompt_id": "t",
           "hook_event_name": "PostToolUse", "tool_name": tool, "tool_input": input,
           "tool_response": response, "tool_use_id": id})
}

/// The payload as it comes from the home directory.
fn at_home(w: &World, mut payload: Value) -> Value {
    payload["cwd"] = json!(w.path("home"));
    payload
}

#[test]
fn files_are_known_as_they_were_when_a_tool_saw_them() {
    let w = World::new();
    let file = |name: &str| w.path("home").join(name);
    let git = |name: &str| {
        let out = Command::new("git").arg("hash-object").arg(file(name)).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    fs::write(file("price.py"), "def price(x):\n    return x * 119\n").unwrap();
    fs::write(file("tax.py"), "RATE = 19\n").unwrap();
    w.hook(&at_home(&w, prompt("s", "t", "The price is a hundred times too high, fix it.")));
    let read = json!({"file_path": file("tax.py")});
    w.hook(&used(&w, "u1", "Read", read, json!({"file": {"filePath": file("tax.py")}})));
    let tax = git("tax.py");
    fs::write(file("price.py"), "def price(x):\n    return x * 119 / 100\n").unwrap();
    w.hook(&used(
        &w,
        "u2",
        "Edit",
        json!({"file_path": file("price.py"), "old_string": "x * 119",
               "new_string": "x * 119 / 100"}),
        json!({"filePath": file("price.py")}),
    ));
    let price = git("price.py");
    // What becomes of them later is another matter.
    fs::write(file("price.py"), "").unwrap();
    w.hook(&at_home(
        &w,
        stop("s", "t", "The price is divided by 100 now, for RATE is a percentage."),
    ));
    w.rest();
    assert_eq!(
        w.rows("SELECT role, path, blob FROM observation_files ORDER BY path"),
        [format!("modified|price.py|{price}"), format!("read|tax.py|{tax}")]
    );
    assert!(w.rows("SELECT 1 FROM pending_messages WHERE files NOTNULL").is_empty());
}
