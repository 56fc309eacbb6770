//! Recognizes what keeps a command that is no check from working: a password, a missing program, a
//! service that does not start, a hook of git, red CI, a full disk.
//!
//! The words are those of the programs themselves, so a blocker needs a line of a known form.

use super::files;
use super::shell::{SimpleCommand, Status};
use super::shorten::fit;
use super::verdict::Exit;
use crate::memory::{Blocker, BlockerKind, CheckKind, CheckRun, Outcome};
use crate::text::is_name;

/// Maximum characters of a reason.
const MAX_REASON: usize = 160;
/// Longer lines are data.
const MAX_LINE: usize = 300;

/// What blocks a line of commands. Empty if it worked.
pub fn read(parts: &[SimpleCommand], exit: Exit, output: &str) -> Vec<Blocker> {
    let ci = parts.iter().find(|part| shows_ci(part));
    if let Some(part) = ci {
        return red_ci(output)
            .map(|(subject, reason)| blocker(BlockerKind::Ci, part, subject, reason))
            .into_iter()
            .collect();
    }
    let may_have_failed =
        |part: &&SimpleCommand| exit == Exit::Failed || part.status != Status::Shown;
    let candidates: Vec<&SimpleCommand> =
        parts.iter().filter(may_have_failed).filter(|part| !is_reader(part)).collect();
    let Some(last) = candidates.last() else { return Vec::new() };
    let mut out: Vec<Blocker> = Vec::new();
    for line in output.lines().map(str::trim).filter(|line| line.len() <= MAX_LINE) {
        let Some((kind, subject)) = blocked_by(line) else { continue };
        // The command that the line names, else the last one that may have failed.
        let named = candidates.iter().find(|part| {
            let program = part.program();
            subject == program
                || part.with_sudo && subject == "sudo"
                || starts_with_word(line, program)
        });
        let subject = if subject.is_empty() { last.program() } else { subject };
        let found = blocker(kind, named.unwrap_or(last), subject.to_owned(), line);
        if out.len() < 3 && !out.iter().any(|b| (b.kind, &b.subject) == (kind, &found.subject)) {
            out.push(found);
        }
    }
    if out.is_empty() && exit == Exit::Failed {
        out.extend(refused_by_hook(parts, output));
    }
    out
}

/// A build whose line failed without words of a known form.
pub fn unexplained(check: &CheckRun) -> Option<Blocker> {
    let is_unknown = check.kind == CheckKind::Build && check.outcome == Outcome::Unknown;
    is_unknown.then(|| Blocker { command: check.key.clone(), ..Blocker::default() })
}

/// The names under which the commands of a line that worked are known: as [`Blocker::command`], the
/// program, the server of a request. They end blockers with the same name.
pub fn worked(parts: &[SimpleCommand], exit: Exit, output: &str) -> Vec<String> {
    let mut out = Vec::new();
    for part in parts {
        if shows_ci(part) {
            if exit == Exit::Ok && red_ci(output).is_none() && is_green(output) {
                out.push("ci".to_owned());
            }
            continue;
        }
        if exit != Exit::Ok || part.status != Status::Shown {
            continue;
        }
        out.push(name(part));
        out.push(part.program().to_owned());
        if part.with_sudo {
            out.push("sudo".to_owned());
        }
        out.extend(part.args().filter_map(server).map(str::to_owned));
    }
    out
}

fn blocker(kind: BlockerKind, part: &SimpleCommand, subject: String, line: &str) -> Blocker {
    let reason = fit(line, MAX_REASON);
    Blocker { kind, command: name(part), subject, reason, ..Blocker::default() }
}

/// Program and verb, or the script: `sudo apt-get install`, `docker compose up`, `python train.py`.
pub fn name(part: &SimpleCommand) -> String {
    let sudo = if part.with_sudo { "sudo " } else { "" };
    if let Some(script) = files::executed(part) {
        return format!("{sudo}{} {script}", part.program());
    }
    let verb_like = |word: &&str| {
        word.len() <= 24
            && word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '_'))
    };
    let words = match (part.program(), part.verb()) {
        ("docker" | "podman", "compose") | ("gh" | "glab" | "aws" | "gcloud" | "az", _) => 2,
        ("systemctl" | "service" | "brew" | "npm" | "pnpm" | "yarn" | "bun", _) => 2,
        ("ssh" | "scp" | "cat" | "cp" | "mv" | "mkdir" | "curl" | "wget" | "psql" | "rm", _) => 0,
        _ => 1,
    };
    let verbs: Vec<&str> = part.args().take(words).take_while(verb_like).collect();
    format!("{sudo}{} {}", part.program(), verbs.join(" ")).trim().to_owned()
}

fn starts_with_word(line: &str, word: &str) -> bool {
    !word.is_empty() && line.strip_prefix(word).is_some_and(|rest| rest.starts_with(':'))
}

/// Whether the command prints text that it did not write itself.
fn is_reader(part: &SimpleCommand) -> bool {
    const READERS: [&str; 24] = [
        "cat",
        "head",
        "tail",
        "less",
        "grep",
        "egrep",
        "rg",
        "ag",
        "sed",
        "awk",
        "jq",
        "find",
        "ls",
        "echo",
        "printf",
        "wc",
        "sort",
        "uniq",
        "diff",
        "journalctl",
        "which",
        "type",
        "true",
        "",
    ];
    let program = part.program();
    READERS.contains(&program)
        || program == "git" && matches!(part.verb(), "log" | "show" | "diff" | "blame" | "grep")
        || matches!(program, "docker" | "kubectl") && part.has("logs")
        || matches!(program, "gh" | "glab") && part.has("view")
}

/// The kind of blocker and the name that matters, if the line of a program says that it is blocked.
fn blocked_by(line: &str) -> Option<(BlockerKind, &str)> {
    missing(line)
        .map(|name| (BlockerKind::Missing, name))
        .or_else(|| credentials(line).map(|name| (BlockerKind::Credentials, name)))
        .or_else(|| service(line).map(|name| (BlockerKind::Service, name)))
        .or_else(|| denied(line).map(|name| (BlockerKind::Denied, name)))
}

/// A program, package, module, library or device that is missing.
fn missing(line: &str) -> Option<&str> {
    const AFTER: [(&str, &str); 12] = [
        ("command not found: ", ""),
        ("Unable to locate package ", ""),
        ("No package ", " available"),
        ("error while loading shared libraries: ", ": cannot open"),
        ("No module named '", "'"),
        ("Cannot find module '", "'"),
        ("unable to find utility \"", "\""),
        ("exec: \"", "\": executable file not found"),
        ("Package '", "', required by"),
        ("Could not find a package configuration file provided by \"", "\""),
        ("linker `", "` not found"),
        ("Package ", " was not found in the pkg-config search path"),
    ];
    const NAMED: [(&str, &str); 8] = [
        ("No CUDA runtime is found", "CUDA"),
        ("no CUDA-capable device", "CUDA"),
        ("CUDA driver version is insufficient", "CUDA"),
        ("SDK location not found", "Android SDK"),
        ("JAVA_HOME is not set", "JAVA_HOME"),
        ("Unable to locate a Java Runtime", "Java"),
        ("cannot open display", "display"),
        ("Executable doesn't exist at", "browser"),
    ];
    // make: `make: arm-none-eabi-gcc: No such file or directory`.
    if let Some(name) =
        line.strip_prefix("make: ").and_then(|l| l.strip_suffix(": No such file or directory"))
    {
        return (is_name(name) && !name.contains('.')).then_some(name);
    }
    let before =
        line.strip_suffix(": command not found").or_else(|| line.strip_suffix(": not found"));
    if let Some(before) = before
        && (line.ends_with("command not found") || before.matches(':').count() >= 2)
    {
        let name = before.rsplit(": ").next()?;
        return is_name(name).then_some(name);
    }
    let after = AFTER.iter().find_map(|(before, after)| {
        let rest = line.split_once(before)?.1;
        let name = if after.is_empty() { rest } else { rest.split_once(after)?.0 };
        is_name(name).then_some(name)
    });
    after.or_else(|| NAMED.iter().find_map(|(mark, name)| line.contains(mark).then_some(*name)))
}

/// What needs a password, a key or a login. Empty: the command itself.
fn credentials(line: &str) -> Option<&'static str> {
    const MARKS: [(&str, &str); 32] = [
        ("sudo: a password is required", "sudo"),
        ("sudo: a terminal is required", "sudo"),
        ("sudo: no tty present", "sudo"),
        ("is not in the sudoers file", "sudo"),
        ("could not read Username for", "git"),
        ("could not read Password for", "git"),
        ("fatal: Authentication failed for", "git"),
        ("Support for password authentication was removed", "git"),
        ("Permission denied (publickey", "ssh"),
        ("Host key verification failed", "ssh"),
        ("Author identity unknown", "git identity"),
        ("gh auth login", "gh"),
        ("set the GH_TOKEN environment variable", "gh"),
        ("code ENEEDAUTH", "npm"),
        ("code E401", "npm"),
        ("unauthorized: authentication required", "registry"),
        ("denied: requested access to the resource is denied", "registry"),
        ("no basic auth credentials", "registry"),
        ("Unable to locate credentials", "aws"),
        ("security token included in the request is", "aws"),
        ("could not find default credentials", "gcloud"),
        ("gcloud auth login", "gcloud"),
        ("Please run 'az login'", "az"),
        ("password authentication failed for user", ""),
        ("no password supplied", ""),
        ("You are not logged in", ""),
        ("Not logged in", ""),
        ("not authenticated", ""),
        ("Invalid API key", ""),
        ("401 Unauthorized", ""),
        ("HTTP 401", ""),
        ("Authentication required", ""),
    ];
    MARKS.iter().find_map(|(mark, name)| line.contains(mark).then_some(*name))
}

/// The service or server that does not start or answer. Empty: the command itself.
fn service(line: &str) -> Option<&str> {
    if line.contains("Cannot connect to the Docker daemon")
        || line.contains("docker daemon running")
    {
        return Some("docker");
    }
    let between = |before: &str, after: &str| {
        let rest = line.split_once(before)?.1;
        let name = if after.is_empty() { rest } else { rest.split_once(after)?.0 };
        is_name(name).then_some(name)
    };
    let unit = between("Failed to start ", ".service")
        .or_else(|| between("Job for ", ".service failed"))
        .or_else(|| between("Unit ", ".service not found"))
        .or_else(|| between("Unit ", ".service could not be found"))
        .or_else(|| between("Could not resolve host: ", ""))
        .or_else(|| between("connect ECONNREFUSED ", ""))
        .or_else(|| between("connection to server at \"", "\""));
    const MARKS: [&str; 10] = [
        "Connection refused",
        "connection refused",
        "ECONNREFUSED",
        "Failed to connect to ",
        "could not connect to server",
        "address already in use",
        "Address already in use",
        "port is already allocated",
        "dependency failed to start",
        "is unhealthy",
    ];
    unit.or_else(|| {
        MARKS.iter().any(|mark| line.contains(mark)).then_some(())?;
        Some(line.split_whitespace().find_map(server).unwrap_or(""))
    })
}

/// `localhost:5432` of `http://localhost:5432/x`.
fn server(word: &str) -> Option<&str> {
    let word = word.trim_matches(['"', '\'', '(', ')', ',', ';', '.', ':']);
    let host = word.split_once("://").map_or(word, |(_, rest)| rest).split('/').next()?;
    let (name, port) = host.rsplit_once(':')?;
    let is_port = (2..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    let is_host =
        name.contains('.') && !name.contains(".rs") && !name.contains(".py") || name == "localhost";
    (is_port && is_host && is_name(host)).then_some(host)
}

/// What a permission, a quota or the disk denies. Empty: the command itself.
fn denied(line: &str) -> Option<&'static str> {
    const MARKS: [(&str, &str); 18] = [
        ("No space left on device", "disk"),
        ("Disk quota exceeded", "disk"),
        ("Read-only file system", "file system"),
        ("API rate limit exceeded", "rate limit"),
        ("rate limit exceeded", "rate limit"),
        ("You exceeded your current quota", "quota"),
        ("Quota exceeded", "quota"),
        ("exceeded quota", "quota"),
        ("protected branch", "protected branch"),
        ("[remote rejected]", "remote"),
        ("403 Forbidden", ""),
        ("HTTP 403", ""),
        ("AccessDenied", ""),
        ("Access denied", ""),
        ("Permission denied", ""),
        ("permission denied", ""),
        ("EACCES", ""),
        ("Operation not permitted", ""),
    ];
    MARKS.iter().find_map(|(mark, name)| line.contains(mark).then_some(*name))
}

/// A commit or push that a hook refused.
fn refused_by_hook(parts: &[SimpleCommand], output: &str) -> Option<Blocker> {
    let part = parts.iter().rfind(|part| {
        part.program() == "git" && matches!(part.verb(), "commit" | "push" | "merge")
    })?;
    const HOOKS: [&str; 6] = [
        "pre-commit",
        "commit-msg",
        "pre-push",
        "prepare-commit-msg",
        "pre-receive",
        "update hook",
    ];
    // Git's own reasons, and bad usage.
    const OTHER: [&str; 12] = [
        "nothing to commit",
        "nothing added to commit",
        "no changes added",
        "fatal: ",
        "error: pathspec",
        "Aborting commit",
        "Everything up-to-date",
        "error: failed to push some refs",
        "CONFLICT (",
        "usage: git",
        "unmerged files",
        "Please tell me who you are",
    ];
    let lower = output.to_lowercase();
    let named = HOOKS.iter().find(|hook| lower.contains(**hook)).copied();
    let is_other = OTHER.iter().any(|mark| output.contains(mark));
    let has_text = output.lines().any(|l| l.chars().any(char::is_alphabetic) && !is_exit_line(l));
    if is_other && named.is_none() || !has_text || part.verb() == "merge" && named.is_none() {
        return None;
    }
    if part.verb() == "push" && named.is_none() && !lower.contains("husky") {
        return None;
    }
    let hook = named.unwrap_or("pre-commit").to_owned();
    let mut lines = output.lines().map(str::trim).filter(|line| !is_exit_line(line));
    let reason = lines.find(|l| l.chars().any(char::is_alphabetic)).unwrap_or("");
    Some(blocker(BlockerKind::Hook, part, hook, reason))
}

fn is_exit_line(line: &str) -> bool {
    line.starts_with("Exit code ")
}

/// Whether a command shows the state of the project's CI.
fn shows_ci(part: &SimpleCommand) -> bool {
    let verbs: Vec<&str> = part.args().take(2).collect();
    match part.program() {
        "gh" => {
            verbs == ["pr", "checks"] || matches!(verbs[..], ["run", "watch" | "list" | "view"])
        }
        "glab" => verbs.first() == Some(&"ci"),
        _ => false,
    }
}

/// The failed workflow or job, and the line that says so.
fn red_ci(output: &str) -> Option<(String, &str)> {
    // `gh run list` begins with the newest run; older ones do not matter.
    let first =
        output.lines().map(str::trim).find(|line| !line.is_empty() && !is_exit_line(line))?;
    let fields: Vec<&str> = first.split('\t').collect();
    if fields.len() >= 5 && matches!(fields[0], "completed" | "in_progress" | "queued") {
        let workflow = Some(fields[3].trim()).filter(|name| name.chars().count() <= 60)?;
        return (fields[1] == "failure").then(|| (workflow.to_owned(), first));
    }
    output.lines().map(str::trim).filter(|line| line.len() <= MAX_LINE).find_map(|line| {
        // `gh pr checks`: `build<tab>fail<tab>1m2s<tab>https://…`
        let mut fields = line.split('\t');
        let (name, state) = (fields.next()?.trim(), fields.next().unwrap_or("").trim());
        if state == "fail" {
            return Some((fit(name, 60), line));
        }
        // `gh run view`: `X main CI · 123`, `X build in 12s (ID 4)`
        if let Some(rest) = line.strip_prefix("X ") {
            let name = rest.split(" in ").next().unwrap_or(rest).split(" · ").next()?;
            return Some((fit(name, 60), line));
        }
        let json = line.contains("\"conclusion\":\"failure\"")
            || line.contains("\"conclusion\": \"failure\"")
            || line.contains("\"state\":\"FAILURE\"");
        json.then(|| ("CI".to_owned(), line))
    })
}

/// Whether the output shows that CI passed. Pending runs do not.
fn is_green(output: &str) -> bool {
    let pending = output.contains("\tpending\t") || output.contains("in_progress");
    let passed = ["\tpass\t", "completed\tsuccess", "✓ ", "\"conclusion\":\"success\""];
    !pending && passed.iter().any(|mark| output.contains(mark))
}
