//! Settings and API keys: changes, refusals, and which of them a worker gets.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::support::recordings::{end, prompt, start};
use crate::support::{World, until};

fn config_file(w: &World) -> PathBuf {
    w.path("home/.config/memctl/config.toml")
}

fn secrets_file(w: &World) -> PathBuf {
    config_file(w).with_file_name("secrets.toml")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_setting_can_be_set_read_and_unset() {
    let mut w = World::new();
    assert_eq!(w.memctl(&["config", "get", "agent.backend"]).ok(), "extractive\n");
    let set = ["config", "set", "agent.backend", "claude"];
    assert_eq!(w.memctl(&set).ok(), "agent.backend = claude\n");
    assert_eq!(mode(&config_file(&w)), 0o600);
    let got = w.memctl(&["config", "get", "agent.backend", "--json"]).json();
    assert_eq!((&got["value"], &got["origin"]), (&"claude".into(), &"file".into()));
    let all = w.memctl(&["config", "list", "--json"]).json();
    assert_eq!(all, w.memctl(&["config", "--json"]).json());
    let changed = all.as_array().unwrap().iter().filter(|row| row["origin"] == "file").count();
    assert_eq!(changed, 1);

    let text = fs::read_to_string(config_file(&w)).unwrap();
    fs::write(config_file(&w), format!("# mine\n{text}")).unwrap();
    w.memctl(&["config", "set", "worker.linger", "5s"]).ok();
    assert!(fs::read_to_string(config_file(&w)).unwrap().starts_with("# mine\n[agent]"));
    w.set("MEMCTL_WORKER_LINGER", "7s");
    let shadowed = w.memctl(&["config", "set", "worker.linger", "6s"]);
    assert!(shadowed.err.contains("MEMCTL_WORKER_LINGER in the environment"), "{shadowed:?}");
    assert_eq!(w.memctl(&["config", "get", "worker.linger"]).ok(), "7s\n");

    let unset = w.memctl(&["config", "unset", "agent.backend"]).ok();
    assert_eq!(unset, "agent.backend = extractive (default)\n");
    let unset = w.memctl(&["config", "unset", "agent.backend"]).ok();
    assert_eq!(unset, "agent.backend was not set; its value is extractive\n");
    let table = w.memctl(&["config"]).ok();
    assert!(table.lines().all(|line| line.chars().count() < 200), "{table}");
    assert!(w.memctl(&["config", "get", "agent.prices"]).ok().contains("claude-haiku=1/5"));
    assert!(!w.data().exists(), "settings need no data directory");
}

#[test]
fn mistakes_change_nothing_and_suggest_the_correction() {
    let w = World::new();
    let check = |args: &[&str], code, want: &str| {
        let output = w.memctl(args);
        assert_eq!(output.code, Some(code), "{output:?}");
        assert!(output.err.contains(want), "{output:?}");
        assert!(!output.err.contains("very"), "a secret is not repeated: {output:?}");
        assert!(!config_file(&w).exists(), "{args:?}");
    };
    check(&["config", "set", "agent.backed", "claude"], 2, "did you mean 'agent.backend'?");
    check(&["config", "get", "worker.lingr"], 2, "did you mean 'worker.linger'?");
    check(&["config", "set", "agent.backend", "gpt"], 2, "expected one of extractive, claude");
    check(&["config", "set", "worker.linger", "5"], 2, "such as 500ms, 30s or 2h");
    check(&["config", "set", "agent.openai.base_url", "https://u:p@h"], 2, "without a password");
    check(&["config", "secret", "set", "sk-ant-123"], 2, "invalid key name");
    check(&["config", "set", "agent.gemini.key", "AIzaveryS3cret"], 2, "config secret set NAME");
    check(&["config", "secret", "set", "AIzaveryS3cret"], 2, "invalid key name");
    check(&["config", "set", "agent.openai.key", "sk-very-secret"], 2, "config secret set NAME");
    check(
        &["config", "set", "agent.gemini.base_url", "https://h/?key=very"],
        2,
        "https://host/path",
    );
    check(&["config", "secret", "unset", "A_KEY"], 1, "A_KEY is not stored");
}

#[test]
fn a_key_is_read_from_a_pipe_and_never_shown() {
    let mut w = World::new();
    let name = "ANTHROPIC_API_KEY";
    let missing = w.memctl(&["config", "set", "agent.backend", "anthropic"]);
    assert!(missing.err.contains("config secret set ANTHROPIC_API_KEY"), "{missing:?}");
    for empty in ["", "\n", "two words\n"] {
        let output = w.memctl_with(&["config", "secret", "set", name], empty.as_bytes());
        assert_eq!(output.code, Some(1), "{output:?}");
    }
    assert!(!secrets_file(&w).exists());
    let output = w.memctl_with(&["config", "secret", "set", name], b"sk-very-secret\n");
    assert!(!format!("{output:?}").contains("very"), "{output:?}");
    assert!(output.ok().starts_with("stored ANTHROPIC_API_KEY in /"));
    assert_eq!(mode(&secrets_file(&w)), 0o600);
    assert!(fs::read_to_string(secrets_file(&w)).unwrap().contains("sk-very-secret"));
    let configured = w.memctl(&["config", "set", "agent.backend", "anthropic"]);
    assert_eq!(configured.err, "");

    w.set("GEMINI_API_KEY", "g-very-secret");
    let list = w.memctl(&["config", "secret", "list", "--json"]);
    assert!(!list.out.contains("very"), "{list:?}");
    let list = list.json();
    assert_eq!(list[0]["name"], name);
    assert_eq!((&list[0]["origin"], &list[0]["used_by"][0]), (&"file".into(), &"anthropic".into()));
    assert_eq!(
        (&list[1]["name"], &list[1]["origin"]),
        (&"GEMINI_API_KEY".into(), &"environment".into())
    );

    let misspelled = w.memctl_with(&["config", "secret", "set", "ANTROPIC_API_KEY"], b"x");
    assert!(misspelled.err.contains("did you mean ANTHROPIC_API_KEY?"), "{misspelled:?}");
    w.memctl(&["config", "secret", "unset", "ANTROPIC_API_KEY"]).ok();

    fs::set_permissions(secrets_file(&w), Permissions::from_mode(0o644)).unwrap();
    for args in [&["config", "secret", "list"][..], &["config", "secret", "unset", name]] {
        let refused = w.memctl(args);
        assert_eq!(refused.code, Some(1));
        assert!(refused.err.contains("chmod 600 /"), "{refused:?}");
    }
}

#[test]
fn a_typed_key_is_not_echoed() {
    let w = World::new();
    let type_in = |typed: &[u8]| {
        let pty = nix::pty::openpty(None, None).unwrap();
        let mut command = w.command(Path::new(env!("CARGO_BIN_EXE_memctl")));
        command.args(["config", "secret", "set", "OPENAI_API_KEY"]);
        command.stdin(pty.slave.try_clone().unwrap());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let echoes = || tcgetattr(&pty.slave).unwrap().local_flags.contains(LocalFlags::ECHO);
        until("the terminal does not echo", || {
            if echoes() { Err("it still echoes".to_owned()) } else { Ok(()) }
        });
        let mut terminal = File::from(pty.master);
        terminal.write_all(typed).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(echoes(), "the terminal is restored");
        drop(pty.slave);
        drop(command);
        let mut shown = Vec::new();
        // Because the slave is closed, the read fails with EIO after the last output.
        let _ = terminal.read_to_end(&mut shown);
        let shown = String::from_utf8_lossy(&shown).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.starts_with("OPENAI_API_KEY (hidden): "), "{errors}");
        assert!(!(shown + &errors).contains("very"), "{errors}");
        output.status.code()
    };
    assert_eq!(type_in(b"sk-very\x03"), Some(1));
    assert!(!secrets_file(&w).exists(), "aborted");
    assert_eq!(type_in(b"sk-very-secret\n"), Some(0));
    assert!(fs::read_to_string(secrets_file(&w)).unwrap().contains("\"sk-very-secret\""));
}

/// The environment that the only worker was started with.
fn worker_environment(w: &World) -> String {
    let environ = fs::read(format!("/proc/{}/environ", w.worker())).unwrap();
    String::from_utf8_lossy(&environ).replace('\0', "\n")
}

#[test]
fn a_worker_gets_the_keys_of_its_backend_and_no_others() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("ANTHROPIC_API_KEY", "sk-one")
        .with("OPENAI_API_KEY", "sk-two")
        .with("HTTPS_PROXY", "http://evil.example");
    w.memctl(&["config", "set", "agent.backend", "openai"]).ok();
    w.hook(&prompt("s", "t", "go"));
    let environment = worker_environment(&w);
    assert!(environment.contains("OPENAI_API_KEY=sk-two"), "{environment}");
    assert!(!environment.contains("sk-one") && !environment.contains("evil"), "{environment}");
}

#[test]
fn recovery_passes_no_key_to_workers_of_other_sessions() {
    let w = World::new().with("OPENAI_API_KEY", "sk-two").with("ANTHROPIC_BASE_URL", "x://evil");
    w.memctl(&["config", "set", "agent.backend", "openai"]).ok();
    w.memctl(&["config", "set", "agent.fallback", "claude,extractive"]).ok();
    w.spool(&prompt("s", "t", "go"));
    w.spool(&end("s"));
    let (paused, point) = (w.path("paused"), "worker.locked=pause:");
    let _ = w.hook_at(&start("other"), &format!("{point}{}", paused.display()));
    until("a worker started by recovery", || paused.exists().then_some(()).ok_or(String::new()));
    let proc_file = |pid: &i32, name: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', "\n")
    };
    let processes = w.processes();
    let worker = processes.iter().find(|pid| proc_file(pid, "cmdline").contains("--recovery"));
    let environment = proc_file(worker.expect("a paused worker"), "environ");
    assert!(environment.contains("MEMCTL_DATA_DIR="), "{environment}");
    assert!(!environment.contains("sk-two") && !environment.contains("evil"), "{environment}");
    fs::remove_file(paused).unwrap();
    w.settle();
}

#[test]
fn a_config_file_inside_the_project_cannot_redirect_text() {
    let mut w = World::new().with("MEMCTL_WORKER_LINGER", "60s").with("OPENAI_API_KEY", "sk-two");
    let project = w.path("project");
    fs::create_dir(&project).unwrap();
    let config = project.join("memctl.toml");
    fs::write(&config, "[agent]\nbackend = 'openai'\nopenai.base_url = 'https://evil.example'\n")
        .unwrap();
    w.set("MEMCTL_CONFIG", config.to_str().unwrap());
    let mut payload = prompt("s", "t", "go");
    payload["cwd"] = project.to_str().unwrap().into();
    w.hook(&payload);
    let environment = worker_environment(&w);
    assert!(!environment.contains("MEMCTL_CONFIG=") && !environment.contains("sk-two"));
    let start = serde_json::json!({"session_id": "s2", "cwd": project, "hook_event_name": "SessionStart", "source": "startup"});
    let message = w.hook(&start)["systemMessage"].as_str().unwrap().to_owned();
    assert!(message.contains("agent.openai.base_url is ignored"), "{message}");
}
