//! Measures the performance budgets: `make bench`.
//!
//! The driver times whole processes from outside, after a warm-up. It compares them with floors of
//! the same run ([`floor.rs`], built with the same profile and linking), so that a slow or busy machine
//! affects both sides. The driver's own cost is the same for all cases. If a row cannot be measured,
//! the driver prints why and continues. It prints a table to stdout, and writes it as JSON to
//! `target/bench.json`.
//!
//! `cargo bench --bench bench -- --built DIR` measures copies of the programs in DIR (`memctl` and
//! `examples/floor`); `--runs N` sets the number of runs, and `--only PART` measures one part.
//! `--against DIR` also measures the hooks of the `memctl` in DIR, interleaved with those of the first
//! one, and prints both medians and their ratio.
//! `MEMCTL_BENCH_TRANSCRIPTS=DIR` measures the disk space of the transcripts in DIR instead of the
//! recorded sessions.
//!
//! [`floor.rs`]: https://github.com/memctl/memctl/blob/main/benches/floor.rs

mod disk;
mod fill;
mod hooks;
mod mcp;
mod measure;
mod model;
mod outage;
mod redaction;
mod report;
mod search;
mod storm;
mod worker;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use report::Report;

/// The programs under test, and how to measure them.
struct Programs {
    memctl: PathBuf,
    floor: PathBuf,
    /// The memctl in the directory of `--against`.
    against: Option<PathBuf>,
    runs: usize,
    /// The only part to measure.
    only: Option<String>,
}

type Part = fn(&mut Report, &Programs) -> measure::Result<()>;

const PARTS: [(&str, Part); 16] = [
    ("small", hooks::small),
    ("large", hooks::large),
    ("alone", hooks::alone),
    ("start", hooks::session_start),
    ("recall", hooks::recall),
    ("search", search::all),
    (MILLION, search::million),
    ("mcp", mcp::all),
    ("redaction", redaction::all),
    ("worker", worker::all),
    ("model", model::all),
    ("outage", outage::all),
    ("storm-4", storm::few_drivers),
    ("storm-200", storm::many_drivers),
    ("disk", disk::recorded_sessions),
    ("size", size),
];

/// Takes minutes, and is measured only if it is asked for.
const MILLION: &str = "search-million";

fn main() -> ExitCode {
    let programs = match Programs::from_args(env::args().skip(1)) {
        Ok(programs) => programs,
        Err(why) => {
            eprintln!("bench: {why}");
            return ExitCode::from(2);
        }
    };
    println!("{}, {} runs per row", programs.memctl.display(), programs.runs);
    if let Some(against) = &programs.against {
        println!("against {}", against.display());
    }
    let copies = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let copied =
        copies.as_ref().map_err(|e| e.to_string()).and_then(|dir| programs.copied(dir.path()));
    let programs = match copied {
        Ok(copied) => copied,
        Err(why) => {
            eprintln!("bench: {why}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(why) = world::World::check_account(&programs.memctl) {
        eprintln!("bench: {why}");
        return ExitCode::FAILURE;
    }
    let mut report = Report::default();
    for (_, part) in PARTS.iter().filter(|(name, _)| programs.wants(name)) {
        part(&mut report, &programs).unwrap_or_else(|why| report.not_measured(why));
    }
    println!("\n{}", report.summary());
    let file = target_dir().join("bench.json");
    match fs::write(&file, format!("{:#}\n", report.to_json())) {
        Ok(()) => println!("{}", file.display()),
        Err(e) => eprintln!("bench: {}: {e}", file.display()),
    }
    ExitCode::SUCCESS
}

impl Programs {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Programs, String> {
        let mut built = Path::new(env!("CARGO_BIN_EXE_memctl")).with_file_name("");
        let mut against = None;
        let mut runs = 300;
        let mut only = None;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--built" => built = PathBuf::from(value()?),
                "--against" => against = Some(Path::new(&value()?).join("memctl")),
                "--runs" => runs = value()?.parse().map_err(|e| format!("--runs: {e}"))?,
                "--only" => only = Some(value()?),
                "--bench" => {} // added by cargo
                _ => {
                    return Err(format!(
                        "unknown argument {arg}: --built DIR, --against DIR, --runs N, --only PART"
                    ));
                }
            }
        }
        let (memctl, floor) = (built.join("memctl"), built.join("examples/floor"));
        let programs = Programs { memctl, floor, against, runs, only };
        if !PARTS.iter().any(|(name, _)| programs.wants(name)) {
            return Err(format!("--only: {}", PARTS.map(|(name, _)| name).join(", ")));
        }
        for program in [&programs.memctl, &programs.floor].into_iter().chain(&programs.against) {
            if !program.is_file() {
                return Err(format!("{} is missing: 'make bench' builds it", program.display()));
            }
        }
        Ok(programs)
    }
}

impl Programs {
    /// The programs as `make install` leaves them. The kernel keeps a file that the linker has written
    /// as single pages, and maps each of them: 0.2 ms of a hook. It keeps what one call has written as larger
    /// blocks.
    fn copied(self, dir: &Path) -> Result<Programs, String> {
        let copy = |from: &Path, name: &str| {
            let to = dir.join(name);
            let written = || {
                fs::write(&to, fs::read(from)?)?;
                fs::set_permissions(&to, fs::metadata(from)?.permissions())
            };
            written().map_err(|e| format!("{}: {e}", from.display()))?;
            Ok::<_, String>(to)
        };
        Ok(Programs {
            memctl: copy(&self.memctl, "memctl")?,
            floor: copy(&self.floor, "floor")?,
            against: self.against.as_deref().map(|old| copy(old, "memctl-against")).transpose()?,
            ..self
        })
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().map_or(part != MILLION, |only| part == only)
    }
}

/// Returns Cargo's target directory: the outermost ancestor with its tag file. The directory of a
/// target triple, which also has one, is inside it.
fn target_dir() -> &'static Path {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.ancestors().filter(|dir| dir.join("CACHEDIR.TAG").exists()).last().unwrap_or(tmp)
}

fn size(report: &mut Report, programs: &Programs) -> measure::Result<()> {
    report::heading("Binary size");
    let bytes = fs::metadata(&programs.memctl).map_err(|e| e.to_string())?.len();
    report.row(report::Row::single("binary", bytes as f64 / 1e6, "MB").at_most(15.0));
    Ok(())
}
