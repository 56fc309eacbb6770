//! The uses of each command, and whether git put back what it changed.

use super::files;
use crate::activity::{Activity, CommandLine, Event, Run};
use crate::memory::{CommandUse, Evidence};

/// Maximum number of different commands of a turn.
const MAX_COMMANDS: usize = 24;
/// Maximum number of files of one command.
const MAX_FILES: usize = 6;

pub fn add(evidence: &mut Evidence, event: &Event) {
    let Activity::Run(run) = event.activity else { return };
    for path in &run.reverted {
        let is_reverted = |file: &String| files::is_below(file, path);
        let undone = |command: &&mut CommandUse| command.files.iter().any(is_reverted);
        evidence.commands.iter_mut().filter(undone).for_each(|command| command.undone = true);
    }
    for used in &run.uses {
        record(evidence, used, run);
    }
}

fn record(evidence: &mut Evidence, used: &CommandLine, run: &Run) {
    let commands = &mut evidence.commands;
    let same = |known: &CommandUse| known.line == used.line && known.dir == used.dir;
    let known = commands.iter().position(same).map(|at| commands.remove(at));
    let mut command = known.unwrap_or_else(|| CommandUse {
        line: used.line.clone(),
        dir: used.dir.clone(),
        name: used.name.clone(),
        ..CommandUse::default()
    });
    command.worked += u32::from(used.worked);
    command.failed += u32::from(!used.worked);
    command.ok = used.worked;
    command.exit = used.exit;
    command.undone = false;
    // With several commands, the files may be those of another one.
    if run.uses.len() == 1 {
        let paths = run.changed_paths().filter(|path| !files::is_temporary(path));
        for path in paths {
            if command.files.len() < MAX_FILES && !command.files.iter().any(|known| known == path) {
                command.files.push(path.to_owned());
            }
        }
    }
    if commands.len() == MAX_COMMANDS {
        let dispensable = commands.iter().position(|known| known.failed == 0 && !known.undone);
        commands.remove(dispensable.unwrap_or(0));
    }
    commands.push(command);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::testing::Session;

    #[test]
    fn the_uses_of_a_command_are_counted() {
        let mut session = Session::default();
        let run = |line: &str| json!({ "command": line });
        session.tool("Bash", &run("cd web && npx vite build --mode test > out.log"), "ok");
        session.failed("Bash", &run("docker compose up -d"), "Exit code 17\nboom");
        session.tool("Bash", &run("docker compose up -d"), "done");
        session.tool("Bash", &run("ls; echo x && grep -r a ."), "x");
        session.tool("Bash", &run("uv run alembic upgrade head 2>&1 | tail -3"), "Running upgrade");
        session.failed("Bash", &run("terraform init && terraform plan"), "Exit code 1\nboom");
        let commands = session.fold(add).commands;
        let told: Vec<(&str, &str, u32, u32, Option<i32>)> = commands
            .iter()
            .map(|c| (c.line.as_str(), c.dir.as_str(), c.worked, c.failed, c.exit))
            .collect();
        assert_eq!(
            told,
            [
                ("npx vite build --mode test", "web", 1, 0, Some(0)),
                ("docker compose up -d", "", 1, 1, Some(0)),
                ("uv run alembic upgrade head", "", 1, 0, None),
            ]
        );
    }

    #[test]
    fn a_command_whose_files_git_put_back_is_undone() {
        let mut session = Session::default();
        let run = |line: &str| json!({ "command": line });
        session.tool("Bash", &run("sed -i s/a/b/ src/a.rs"), "");
        session.tool("Bash", &run("git commit -m 'a message of mine' -- x"), "");
        session.tool("Bash", &run("git checkout -- src"), "");
        let commands = session.fold(add).commands;
        assert_eq!(commands[0].files, ["src/a.rs"]);
        assert!(commands[0].undone);
        assert_eq!(commands[1].line, "git commit -m … -- x");
    }
}
