//! Settings and API keys: changes, refusals, and which of them a worker gets.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::support::directories::{in_dir, notice};
use crate::support::recordings::{edit, end, prompt, start, stop};
use crate::support::world::Output;
use crate::support::{World, notes, until};

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
    let unset = w.memctl(&["config", "unset", "worker.linger"]);
    assert_eq!(unset.out, "worker.linger = 30s (default)\n");
    assert!(unset.err.contains("MEMCTL_WORKER_LINGER in the environment takes precedence"));
    // A value with a hyphen is not an option.
    let negative = w.memctl(&["config", "set", "worker.linger", "-4"]);
    assert_eq!((negative.code, negative.out.as_str()), (Some(2), ""));
    assert!(
        negative.err.starts_with("error: invalid value '-4' for worker.linger: "),
        "{negative:?}"
    );
    assert!(w.memctl(&["config", "set", "--help"]).ok().contains("Usage: memctl config set"));
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
    // Values that cannot work, and words that no client sends.
    check(&["config", "set", "context.sources", "startup,foo"], 2, "not 'foo'");
    check(&["config", "set", "context.sources", "startup,resum"], 2, "did you mean 'resume'?");
    check(&["config", "set", "agent.fallback", "claud"], 2, "did you mean 'claude'?");
    check(&["config", "set", "context.tokens", "0"], 2, "expected at least 100");
    check(&["config", "set", "log.max", "1"], 2, "expected at least 64KiB");
    check(&["config", "set", "hook.deadline", "1h"], 2, "expected at most 60s");
    check(&["config", "set", "worker.connections", "0"], 2, "expected at least 1");
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
    let is_note = configured.err.starts_with("note: changed in /");
    assert!(is_note && configured.err.lines().count() == 1, "{configured:?}");

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
        let mut command = w.program();
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

/// A server at which no text may arrive.
struct Server(TcpListener);

impl Server {
    fn new() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Server(listener)
    }

    /// Settings that send the user's text to this server.
    fn settings(&self) -> String {
        let address = self.0.local_addr().unwrap();
        format!(
            "[agent]\nbackend = 'openai'\nfallback = []\n[agent.openai]\nmodel = 'm'\n\
             base_url = 'http://{address}/v1'\nkey = 'OPENAI_API_KEY'\n"
        )
    }

    fn was_contacted(&self) -> bool {
        self.0.accept().is_ok()
    }
}

/// The payloads of a session with one turn, started in `dir`.
fn session(dir: &Path) -> Vec<serde_json::Value> {
    let payloads = [
        prompt("s", "t", "a text of the user"),
        edit("s", "t", "u", "a.rs"),
        stop("s", "t", "Done."),
        end("s"),
    ];
    payloads.map(|payload| in_dir(payload, dir)).into()
}

/// Runs a session and expects that the local rules distill it and nothing reaches the server.
#[track_caller]
fn assert_stays_local(w: &World, server: &Server, dir: &Path, what: &str) {
    for payload in session(dir) {
        let output = w.hook_bytes(&[], payload.to_string().as_bytes());
        assert_eq!(output.code, Some(0), "{what}: {output:?}");
    }
    w.settle();
    assert!(!server.was_contacted(), "{what}: text reached the server");
    let backends = w.rows("SELECT DISTINCT backend FROM session_summaries");
    assert_eq!(backends, ["extractive"], "{what}");
}

fn private(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn repository(root: &Path) {
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
}

fn write_own_config(w: &World, text: &str) {
    fs::create_dir_all(config_file(w).parent().unwrap()).unwrap();
    fs::write(config_file(w), text).unwrap();
    private(&config_file(w));
}

#[test]
fn only_the_own_config_file_sends_text_to_a_server() {
    let w = World::new().with("OPENAI_API_KEY", "k");
    let server = Server::new();
    write_own_config(&w, &server.settings());
    w.hooks(&session(&w.path("home")));
    until("the server is contacted", || match server.was_contacted() {
        true => Ok(()),
        false => Err(String::new()),
    });
}

#[test]
fn a_config_file_that_the_environment_names_cannot_redirect_text() {
    for (variable, value, dir) in [
        ("MEMCTL_CONFIG", "project/memctl.toml", "project"),
        ("MEMCTL_CONFIG", "project/memctl.toml", "project/sub"),
        ("MEMCTL_CONFIG", "project/sub/../memctl.toml", "project"),
        ("MEMCTL_CONFIG", "home/../project/memctl.toml", "project"),
        ("MEMCTL_CONFIG", "link/memctl.toml", "project"),
        ("MEMCTL_CONFIG", "link.toml", "project"),
        ("MEMCTL_CONFIG", "project/link.toml", "project"),
        ("MEMCTL_CONFIG", "project/module/memctl.toml", "project/module"),
        ("MEMCTL_CONFIG", "project/memctl.toml", "project/module"),
        ("MEMCTL_CONFIG", "outside.toml", "project"),
        ("MEMCTL_CONFIG", "home/outside.toml", "project"),
        ("XDG_CONFIG_HOME", "project/config", "project"),
        ("XDG_CONFIG_HOME", "config", "project"),
        ("HOME", "project", "project"),
        ("HOME", "project", "project/sub"),
        ("HOME", "other-home", "project"),
    ] {
        let mut w = World::new().with("OPENAI_API_KEY", "k");
        let server = Server::new();
        for root in ["project", "project/module"] {
            repository(&w.path(root));
        }
        fs::create_dir(w.path("project/sub")).unwrap();
        symlink(w.path("project"), w.path("link")).unwrap();
        symlink(w.path("project/memctl.toml"), w.path("link.toml")).unwrap();
        symlink(w.path("outside.toml"), w.path("project/link.toml")).unwrap();
        for file in [
            "project/memctl.toml",
            "project/module/memctl.toml",
            "outside.toml",
            "home/outside.toml",
            "project/config/memctl/config.toml",
            "config/memctl/config.toml",
            "project/.config/memctl/config.toml",
            "other-home/.config/memctl/config.toml",
        ] {
            let file = w.path(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, server.settings()).unwrap();
            private(&file);
            let secrets = file.with_file_name("secrets.toml");
            fs::write(&secrets, "OPENAI_API_KEY = 'of the attacker'\n").unwrap();
            private(&secrets);
        }
        w.set(variable, w.path(value).to_str().unwrap());
        let what = format!("{variable}={value} in {dir}");
        assert_stays_local(&w, &server, &w.path(dir), &what);
        let response = w.hook(&in_dir(start("s2"), &w.path(dir)));
        let message = notice(&response);
        assert!(message.contains("is ignored"), "{what}: {message}");
        let listed = w.memctl(&["config", "secret", "list", "--json"]).json();
        assert_eq!(listed[0]["origin"], "environment", "{what}: {listed}");
    }
}

#[test]
fn a_relative_config_file_is_refused() {
    let w = World::new().with("MEMCTL_CONFIG", "memctl.toml");
    let server = Server::new();
    repository(&w.path("home/p"));
    fs::write(w.path("home/p/memctl.toml"), server.settings() + "[log]\nmax = '1MiB'\n").unwrap();
    let Output { out, err, .. } = w.memctl_in(&w.path("home/p"), &["config", "--json"]);
    assert!(err.contains("MEMCTL_CONFIG is ignored: it is not an absolute path"), "{err}");
    assert!(!out.contains("1MiB"), "{out}");
    // A change goes to the user's own file.
    w.memctl(&["config", "set", "log.max", "2MiB"]).ok();
    assert!(fs::read_to_string(config_file(&w)).unwrap().contains("2MiB"));
}

#[test]
fn an_own_config_file_that_others_can_change_cannot_redirect_text() {
    let w = World::new().with("OPENAI_API_KEY", "k");
    let server = Server::new();
    write_own_config(&w, &server.settings());
    let dir = w.path("home/.config/memctl");
    let says = |w: &World, what: &str, want: &str| {
        assert_stays_local(w, &server, &w.path("home"), what);
        let output = w.memctl(&["config", "get", "agent.backend"]);
        assert_eq!(output.out, "extractive\n", "{what}");
        let errors = output.err.replace(&*w.path("").to_string_lossy(), "");
        assert!(errors.contains("warning: agent.backend is ignored: "), "{what}: {errors}");
        assert!(errors.contains(want), "{what}: {errors}");
    };
    fs::set_permissions(config_file(&w), Permissions::from_mode(0o666)).unwrap();
    says(&w, "mode 0666", "run `chmod go-w home/.config/memctl/config.toml`");
    fs::set_permissions(config_file(&w), Permissions::from_mode(0o620)).unwrap();
    says(&w, "mode 0620", "run `chmod go-w home/.config/memctl/config.toml`");
    private(&config_file(&w));
    fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    says(&w, "a directory of mode 0777", "run `chmod go-w home/.config/memctl`");
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    match chown(config_file(&w), Some(1), None) {
        Ok(()) => {
            says(&w, "another owner", "belongs to user 1");
            chown(config_file(&w), Some(nix::unistd::getuid().as_raw()), None).unwrap();
        }
        Err(_) => notes::skipped("only root can give files away"),
    }
    assert_eq!(w.memctl(&["config", "get", "agent.backend"]).ok(), "openai\n");
    let outside = w.path("outside.toml");
    fs::rename(config_file(&w), &outside).unwrap();
    symlink(&outside, config_file(&w)).unwrap();
    says(&w, "a link out of the home directory", "is outside of home");
}

#[test]
fn an_own_config_file_inside_the_project_cannot_redirect_text() {
    let mut w = World::new().with("OPENAI_API_KEY", "k");
    let server = Server::new();
    write_own_config(&w, &server.settings());
    // The container's home directory is inside the work tree.
    let work_tree = w.path("work");
    repository(&work_tree);
    fs::create_dir_all(work_tree.join("src/deep")).unwrap();
    let home = work_tree.join("home");
    fs::rename(w.path("home"), &home).unwrap();
    fs::create_dir(w.path("home")).unwrap();
    for variable in ["HOME", "MEMCTL_TEST_HOME"] {
        w.set(variable, home.to_str().unwrap());
    }
    for dir in ["", "src/deep", "home"] {
        assert_stays_local(&w, &server, &work_tree.join(dir), dir);
    }
    fs::remove_dir_all(work_tree.join(".git")).unwrap();
    // A repository that is the home directory itself holds the user's own files.
    repository(&home);
    w.hooks(&session(&home));
    until("the server is contacted", || match server.was_contacted() {
        true => Ok(()),
        false => Err(String::new()),
    });
}

#[test]
fn settings_of_the_user_are_written_to_the_own_file() {
    let mut w = World::new();
    let moved = w.path("moved.toml");
    w.set("MEMCTL_CONFIG", moved.to_str().unwrap());
    w.memctl(&["config", "set", "worker.linger", "5s"]).ok();
    w.memctl(&["config", "set", "agent.backend", "claude"]).ok();
    w.memctl(&["config", "set", "exclude", "[\"~/clients/*\"]"]).ok();
    w.memctl_with(&["config", "secret", "set", "OPENAI_API_KEY"], b"key").ok();
    let moved = fs::read_to_string(moved).unwrap();
    assert!(moved.contains("linger") && !moved.contains("claude"), "{moved}");
    let own = fs::read_to_string(config_file(&w)).unwrap();
    assert!(own.contains("claude") && own.contains("clients") && !own.contains("linger"), "{own}");
    assert!(secrets_file(&w).exists());
    assert_eq!(w.memctl(&["config", "get", "agent.backend"]).ok(), "claude\n");
    let listed = w.memctl(&["config"]).ok();
    let heads: Vec<&str> = listed.lines().take(2).collect();
    assert!(heads[0].ends_with(".config/memctl/config.toml") && heads[1].ends_with("/moved.toml"));
}

/// The rule without the override of the tests: the home directory comes from the password database.
#[test]
fn the_home_directory_comes_from_the_password_database() {
    let w = World::new();
    write_own_config(&w, "agent.backend = 'gemini'\n");
    fs::create_dir_all(w.path("evil/.config/memctl")).unwrap();
    fs::write(w.path("evil/.config/memctl/config.toml"), "agent.backend = 'openai'\n").unwrap();
    let uid = nix::unistd::getuid();
    let entry = format!("me:x:{uid}:0::{}:/bin/sh\n", w.path("home").display());
    fs::write(w.path("passwd"), entry).unwrap();
    let mut command = w.command(Path::new("unshare"));
    command.args([
        "--mount",
        "sh",
        "-c",
        "mount --bind \"$1\" /etc/passwd && exec \"$2\" config get agent.backend",
        "sh",
    ]);
    command.arg(w.path("passwd")).arg(env!("CARGO_BIN_EXE_memctl"));
    command.env_remove("MEMCTL_TEST_HOME").env("HOME", w.path("evil"));
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if errors.contains("unshare failed") || errors.contains("permission denied") {
        return notes::skipped("this user may not mount a file over /etc/passwd");
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout), "gemini\n", "{errors}");
    assert!(
        errors.contains("agent.backend in ") && errors.contains("is ignored: set it in "),
        "{errors}"
    );
}
