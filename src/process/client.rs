//! Which of our ancestors is the client that runs the hook.

use memctl_proto::event::Process;

use super::os;

/// What stands between a client and its hook: shells, wrappers, and our own script.
const BETWEEN: &[&str] = &[
    "ash", "bash", "busybox", "csh", "dash", "direnv", "env", "fish", "ionice", "ksh", "mksh",
    "nice", "nohup", "run.sh", "setsid", "sh", "stdbuf", "sudo", "tcsh", "time", "timeout", "zsh",
];

/// Deeper trees are not climbed.
const MAX_DEPTH: usize = 32;

/// The process whose end is the end of this hook's session.
///
/// `client_pid_env` is what `CLAUDE_PID` says. It counts only for Claude Code and only when it is
/// an ancestor of ours: inherited by another client from a terminal inside Claude Code, it would
/// name the wrong one. Else it is the nearest ancestor that is no shell. The first process of a
/// machine or container is nobody's client.
pub fn client_process(client_pid_env: Option<i32>, client: &str) -> Option<Process> {
    let wanted = client_pid_env.filter(|_| client == "claude-code");
    find(nix::unistd::getppid().as_raw(), wanted, os::stat)
}

/// Climbs from `pid`. Usually reads one process, two behind a shell.
fn find(
    mut pid: i32,
    wanted: Option<i32>,
    stat: impl Fn(i32) -> Option<super::Stat>,
) -> Option<Process> {
    let mut nearest = None;
    for _ in 0..MAX_DEPTH {
        if pid <= 1 {
            break;
        }
        let Some(seen) = stat(pid) else { break };
        let process = (!seen.dead).then_some(Process { pid, start: seen.start });
        if wanted == Some(pid) {
            return process;
        }
        if nearest.is_none() && !BETWEEN.contains(&seen.name.as_str()) {
            nearest = process;
        }
        if wanted.is_none() && nearest.is_some() {
            break;
        }
        pid = seen.parent;
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Stat;

    /// Ancestors from the hook's parent upwards: 10, 11, …, the last a child of 1.
    fn check(names: &[&str], wanted: Option<i32>, expected: Option<i32>) {
        let stat = |pid: i32| {
            let i = usize::try_from(pid - 10).ok()?;
            let parent = if i + 1 == names.len() { 1 } else { pid + 1 };
            let name = names.get(i)?.to_string();
            Some(Stat { name, parent, start: 1000 + pid as u64, dead: false })
        };
        let found = find(10, wanted, stat);
        assert_eq!(found.map(|p| p.pid), expected, "{names:?} {wanted:?}");
        assert!(found.is_none_or(|p| p.start == 1000 + p.pid as u64));
    }

    #[test]
    fn the_nearest_that_is_no_shell() {
        check(&["claude", "bash", "sshd"], None, Some(10));
        check(&["run.sh", "sh", "node", "bash"], None, Some(12));
        check(&["bash", "zsh"], None, None);
        check(&[], None, None);
    }

    #[test]
    fn the_pid_of_the_environment_counts_only_as_an_ancestor() {
        check(&["sh", "node", "claude", "bash"], Some(12), Some(12));
        check(&["sh", "node", "bash"], Some(77), Some(11));
        check(&["codex", "bash", "claude"], None, Some(10));
        check(&["sh", "node"], Some(1), Some(11));
    }

    #[test]
    fn endless_trees_end() {
        let stat = |_| Some(Stat { name: "sh".into(), parent: 10, start: 0, dead: false });
        assert_eq!(find(10, Some(99), stat), None);
    }

    #[test]
    fn the_environment_is_for_claude_code_alone() {
        let own_parent = nix::unistd::getppid().as_raw();
        let grandparent = os::stat(own_parent).map(|s| s.parent).filter(|p| *p > 1);
        let Some(grandparent) = grandparent else { return };
        let found = client_process(Some(grandparent), "claude-code").unwrap();
        assert_eq!(found.pid, grandparent);
        let other = client_process(Some(grandparent), "codex");
        assert_eq!(other, client_process(None, "codex"));
    }
}
