//! Cost of the redaction of secrets, measured with `memctl redact`, which runs the rules of the hooks.

use std::fs;

use crate::Programs;
use crate::hooks::SMALL;
use crate::measure::{Result, Samples, case, interleave, whole_process};
use crate::report::{Report, Row, heading};
use crate::world::World;

const LARGE: usize = 64 << 10;

/// Text as agents read it: source code and documentation.
const TEXT: [&str; 3] = [
    include_str!("../ARCHITECTURE.md"),
    include_str!("../src/hook/mod.rs"),
    include_str!("../src/config/keys.rs"),
];

const NOTHING: &str = "memctl redact, one line";
const OF_SMALL: &str = "memctl redact, 10 KB";
const OF_LARGE: &str = "memctl redact, 64 KB";
const HOOK: &str = "PostToolUse, 10 KB";

/// A row is the time for a text without the time for one line: reading the file and redacting it.
pub fn all(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("Redaction of secrets");
    let world = World::new(&programs.memctl)?;
    world.start_session("redaction")?;
    let redact = |bytes: usize| {
        let file = world.path(&format!("text-{bytes}"));
        let text: String = TEXT.concat().chars().cycle().take(bytes).collect();
        // `--check` fails if there is no secret.
        let secret = "DB_PASSWORD=Zk3pQ9xW7vB1\n";
        fs::write(&file, format!("{secret}{text}")).map_err(|e| e.to_string())?;
        let file = file.display().to_string();
        let world = &world;
        Ok::<_, String>(move || {
            let args = ["redact", "--check", &file];
            Ok(whole_process(&mut world.command(&programs.memctl, &args), b"")?.0)
        })
    };
    let mut number = 0;
    let hook = || {
        number += 1;
        world.hook("PostToolUse", &world.tool_use("redaction", number, SMALL))
    };
    let cases = vec![
        case(NOTHING, redact(0)?),
        case(OF_SMALL, redact(SMALL)?),
        case(OF_LARGE, redact(LARGE)?),
        case(HOOK, hook),
    ];
    let samples = interleave(programs.runs, cases).into_iter().collect::<Result<Vec<_>>>()?;
    let [nothing, small, large, hook] = &samples[..] else {
        return Err("a case is missing".into());
    };
    let above = |samples: &Samples| samples.median() - nothing.median();
    report.row(Row::single("64 KB", above(large), "ms").at_most(1.0));
    let share = above(small) / hook.median() * 100.0;
    report.row(Row::single("10 KB, of a hook with this payload", share, "%").at_most(10.0));
    Ok(())
}
