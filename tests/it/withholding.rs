//! The content of a secret file never reaches the disk, neither through the worker nor through the
//! spool. The tests use every known tool of every known client.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::recordings::{prompt, stop};
use crate::support::{World, until};

/// The content of a secret file. No text of memctl contains it. Only the name of the file keeps it out:
/// the same in another file is recorded.
const CONTENT: &str = "A_NAME=Xylophon4711";
/// The content of another file.
const ORDINARY: &str = "A_NAME=Marimba4711";
/// A row of a file without secrets.
const OTHER: &str = "fn glockenspiel() {}";

const PROJECT: &str = "/home/user/project";

/// Every name and kind of file that is withheld.
const SECRET_FILES: [&str; 36] = [
    ".env",
    ".env.local",
    ".env.production",
    "prod.env",
    ".envrc",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".htpasswd",
    ".dockercfg",
    ".aws/credentials",
    "credentials.json",
    ".credentials.json",
    "credentials.toml",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "secrets.json",
    ".ssh/id_rsa",
    ".ssh/id_dsa",
    ".ssh/id_ecdsa",
    ".ssh/id_ed25519",
    "server.pem",
    "tls/private.key",
    "cert.p12",
    "cert.pfx",
    "store.jks",
    "app.keystore",
    "passwords.kdbx",
    "login.ppk",
    "sign.p8",
    ".kube/config",
    ".gnupg/secring.gpg",
];

/// One tool of one client: an entry of `tests/data/clients/tools.json`.
#[derive(Debug, Deserialize)]
struct Template {
    client: String,
    tool: String,
    input: Value,
    #[serde(default)]
    response: Value,
    error: Option<String>,
    #[serde(default)]
    search: bool,
    #[serde(default)]
    control: bool,
}

fn templates() -> Vec<Template> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/clients/tools.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

impl Template {
    /// Returns the event and the payload of a use of the tool on `file`.
    fn payload(&self, session: &str, id: usize, file: &str, content: &str) -> (&str, String) {
        let event = if self.error.is_some() { "PostToolUseFailure" } else { "PostToolUse" };
        let mut payload = json!({
            "session_id": session, "prompt_id": "t", "cwd": PROJECT, "hook_event_name": event,
            "tool_name": self.tool, "tool_use_id": format!("u{id}"), "tool_input": self.input,
        });
        match &self.error {
            Some(error) => payload["error"] = json!(error),
            None => payload["tool_response"] = self.response.clone(),
        }
        let mut text = payload.to_string();
        for (placeholder, value) in [
            ("{path}", format!("{PROJECT}/{file}")),
            ("{name}", file.to_owned()),
            ("{dir}", PROJECT.to_owned()),
            ("{content}", content.to_owned()),
            ("{other}", OTHER.to_owned()),
        ] {
            text = text.replace(placeholder, &value);
        }
        (event, text)
    }

    fn use_on(&self, w: &World, id: usize, file: &str, content: &str) {
        let session = format!("{}-session", self.client);
        let (event, payload) = self.payload(&session, id, file, content);
        let args = [event, "--client", &self.client];
        let output = w.hook_bytes(&args, payload.as_bytes());
        assert!(output.code == Some(0) && output.err.is_empty(), "{output:?} of {payload}");
    }
}

/// Returns the input and response that the queue has of the tool use with this id.
fn recorded(w: &World, client: &str, id: usize) -> Option<String> {
    let sql = format!(
        "SELECT ifnull(tool_input, '') || ifnull(tool_response, '') FROM pending_messages
         WHERE tool_use_id = 'u{id}' AND content_session_id = '{client}-session'"
    );
    w.rows(&sql).pop()
}

#[test]
fn no_tool_of_any_client_stores_the_content_of_a_secret_file() {
    // A batch of tool uses waits for more of them, so nothing is distilled before the end.
    let w = World::lingering();
    let templates = templates();
    assert!(templates.len() > 100);

    // With an ordinary file, every template is recorded.
    for (id, template) in templates.iter().enumerate() {
        template.use_on(&w, id, "docs/notes.md", ORDINARY);
    }
    until("every use is recorded", || match w.count("SELECT count(*) FROM pending_messages") {
        n if n == templates.len() as i64 => Ok(()),
        n => Err(format!("{n} of {}", templates.len())),
    });
    for (id, template) in templates.iter().enumerate() {
        let kept = recorded(&w, &template.client, id).unwrap();
        assert!(template.control || kept.contains(ORDINARY), "{kept} of {template:?}");
    }

    // Use every tool with two secret files, and four tools with all secret files.
    let mut uses = templates.len();
    for (n, template) in templates.iter().enumerate() {
        let files = match n {
            // Read, Grep, Bash and a patch, which are withheld in different ways.
            0 | 10 | 11 | 18 => &SECRET_FILES[..],
            _ => &[SECRET_FILES[0], SECRET_FILES[1 + n % (SECRET_FILES.len() - 1)]],
        };
        for file in files {
            template.use_on(&w, uses, file, CONTENT);
            if template.search {
                let id = uses;
                until("the search is recorded", || {
                    recorded(&w, &template.client, id).ok_or_else(|| "no row".to_owned())
                });
                let kept = recorded(&w, &template.client, id).unwrap();
                assert!(kept.contains(OTHER), "{kept} of {template:?}");
            }
            uses += 1;
        }
        let found = w.files_with(&["Xylophon".to_owned()]);
        assert!(found.is_empty(), "{found:?} contain the content of {files:?} after {template:?}");
    }

    // Distilling the uses does not store the content either.
    for client in ["claude-code", "codex", "gemini-cli"] {
        let session = format!("{client}-session");
        let payload = stop(&session, "t", "All done.").to_string();
        let output = w.hook_bytes(&["Stop", "--client", client], payload.as_bytes());
        assert_eq!(output.code, Some(0), "{output:?}");
    }
    w.until_count("SELECT count(*) FROM session_summaries WHERE NOT provisional", 3);
    assert_eq!(w.files_with(&["Xylophon".to_owned()]), [] as [PathBuf; 0]);
}

#[test]
fn a_spooled_event_holds_no_content_of_a_secret_file() {
    let w = World::new();
    w.hook(&prompt("claude-code-session", "t", "go"));
    for (id, template) in templates().iter().enumerate().filter(|(_, t)| t.client == "claude-code")
    {
        let (_, payload) = template.payload("claude-code-session", id, ".env", CONTENT);
        let payload: Value = serde_json::from_str(&payload).unwrap();
        let output = w.hook_at(&payload, "deliver.spooled=kill");
        let found = w.files_with(&["Xylophon".to_owned()]);
        assert!(found.is_empty(), "{found:?} after {template:?}, {output:?}");
    }
    assert!(!w.spools().is_empty() || w.count("SELECT count(*) FROM pending_messages") > 0);
    assert!(!w.files_with(&["glockenspiel".to_owned()]).is_empty(), "searches are recorded");
}
