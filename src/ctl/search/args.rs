//! The arguments of `memctl search`, and its help.

use crate::ctl::time::parse_past;
use crate::memory::Origin;
use crate::recall::Filters;

const HELP: &str = "\
Examples
  memctl search retry queue                   Rows of this project that fit these words best
  memctl search why is the parser slow        A question works as well
  memctl search src/queue.rs                  So does a path, an identifier or an error message
  memctl search '\"dead letter\" -spool'        Rows with this text and without this word
  memctl search --type decision --after 30d   The newest decisions of 30 days
  memctl search -a 'type:bugfix leap'         In all projects, with a filter in the query
  memctl search -C 2 rollback                 With the rows before and after, of the same session
  memctl search --explain rollback            Why each row is where it is
  memctl search --json rollback | jq -r '.[].id'
  memctl search -a --format '{id}\\t{title}' cache | fzf

Words of a query
  word             A row need not have all words; those that few rows have count most
  \"two words\"      The row has this text. If no row has it, its words are searched
  -word            The row does not have this word. Write 'a -b', or -- before the query; alone, it is searched
  pre*             All words that begin so
  project:NAME     Only this project; project:* for all
  type:TYPE        Only rows of this type; prompt and summary are types, too
  file:PATH        Only rows about this file or directory
  session:ID       Only rows of this session
  branch:NAME      Only rows of this branch
  after:TIME       Only rows since this time: today, 3d, 2w, 2026-11, 2026-11-24
  before:TIME      Only rows before it
  origin:ORIGIN    Only rows from this source: user, assistant, repository, tool, import, web
  anything else    Is searched as it stands: no text is an error
  In a text with more than six other words, quotation marks and - are part of the text.

Fields of --format
  id, title, snippet, type, project, session, branch, files, origin  What is stored
  date, age           The local day, and the time since then
  score, confidence   As in --json
  external_id         The id that a script gave the row
  {{, }}              Braces
  \\t, \\n, \\0, \\\\      A tab, a line break, a NUL, a backslash; a value has none of them

Lines of --batch, each a JSON object
  in       id, query; optional: project (without it: all), before_epoch, not_session, limit
  out      id, confidence and results, which are objects as --json prints them
  bad      id, line (its number) and error

Exit codes
  0  Rows were found; with --json and --batch also if none were
  1  Nothing was found, or a line of --batch is bad
  2  Invalid arguments

Keys of --json, the best row first
  id                Short name (memctl show ID)
  external_id       The id that a script gave the row (remember --jsonl), null for others
  session           The client's id of the session, null if there is none
  score             Fit of the row; comparable within one query only
  confidence        How sure it is that the query is answered, from 0 to 1, the same in each object. \
Memories are told unasked from 0.8 on
  snippet           The part of the row that fits best
  created_at_epoch  When it was stored
  title, type, project, origin, branch, files, pinned  What is stored
  superseded        true: a later row replaces it
  quarantined       true: it reads like an instruction, and no session gets it
  expires_at_epoch  When it leaves the context; null: never
  same_turn         Ids of further rows of its turn that were found
  explain           With --explain: words (of each: n, rows, idf, weight), row, passage, pairs, factor, \
verbatim
  before, after     With -C: rows of the same session, with id and title
";

/// Find memories by words
///
/// Searches observations, summaries, prompts and the names of files. The best rows come first. Texts of
/// web pages and replaced rows are found, too, although no session gets them unasked.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// What to look for: words, a question, a path, an identifier, an error message
    #[arg(value_name = "QUERY", conflicts_with = "batch")]
    pub query: Vec<String>,
    /// Search this project, given as a directory or a name [default: the current directory]
    #[arg(long, value_name = "PROJECT", conflicts_with_all = ["all_projects", "batch"])]
    pub project: Option<String>,
    /// Search all projects
    #[arg(long, short, conflicts_with = "batch")]
    pub all_projects: bool,
    /// Print at most this many rows
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub limit: u64,
    /// Only rows of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "batch")]
    pub kinds: Vec<String>,
    /// Only rows about this file or directory; may be given several times
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::AnyPath, conflicts_with = "batch")]
    pub file: Vec<String>,
    /// Only rows of this session, or of those whose ids begin so
    #[arg(long, value_name = "SESSION", conflicts_with = "batch")]
    pub session: Option<String>,
    /// Only rows that were stored on this branch
    #[arg(long, value_name = "BRANCH", conflicts_with = "batch")]
    pub branch: Option<String>,
    /// Only rows since this time (2h, 7d, 2026-11-24)
    #[arg(long, value_name = "TIME", value_parser = parse_past, conflicts_with = "batch")]
    pub after: Option<i64>,
    /// Only rows before this time
    #[arg(long, value_name = "TIME", value_parser = parse_past, conflicts_with = "batch")]
    pub before: Option<i64>,
    /// Only rows from this source; may be given several times
    #[arg(long, value_name = "ORIGIN", value_parser = ["user", "assistant", "repository", "tool", "import", "web"], conflicts_with = "batch")]
    pub origin: Vec<String>,
    /// Also print this many rows before and after each row, of the same session
    #[arg(long, short = 'C', value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=20), conflicts_with_all = ["format", "batch"])]
    pub context: u64,
    /// Show the words, their weights and the parts of each score
    #[arg(long, conflicts_with_all = ["format", "batch"])]
    pub explain: bool,
    /// Print a line per row from this template, e.g. '{id}\t{title}'
    #[arg(long, value_name = "TEMPLATE", conflicts_with_all = ["json", "batch"])]
    pub format: Option<String>,
    /// Print a JSON array
    #[arg(long, conflicts_with = "batch")]
    pub json: bool,
    /// Answer the queries in a file, one JSON object per line; - is stdin
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub batch: Option<String>,
}

impl Args {
    /// The filters that are options.
    pub fn filters(&self) -> Filters {
        let origins = self.origin.iter().filter_map(|name| Origin::parse(name)).collect();
        Filters {
            types: self.kinds.iter().map(|kind| kind.to_lowercase()).collect(),
            origins,
            files: self.file.clone(),
            session: self.session.clone(),
            branch: self.branch.clone(),
            after: self.after,
            before: self.before,
            ..Filters::default()
        }
    }
}
