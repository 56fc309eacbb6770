//! Harmless lines around a secret, as they stand beside it in real files and outputs.

use super::template::expand;
use crate::support::random::Random;

/// Between `least` and `most` lines of these templates.
pub fn lines(random: &mut Random, all: &[&str], least: u64, most: u64) -> String {
    let n = least + random.below(most - least + 1);
    let line = |_| {
        let template = random.pick(all);
        expand(random, template, None) + "\n"
    };
    (0..n).map(line).collect()
}

/// Settings in the form `NAME=value`.
pub const SETTINGS: &[&str] = &[
    "PORT=«n 6000 3000»",
    "NODE_ENV=«production|development|test»",
    "LOG_LEVEL=«debug|info|warn»",
    "APP_NAME=«word»-service",
    "PUBLIC_URL=https://«word».example.com/app",
    "WORKERS=«n 16 1»",
    "TZ=«UTC|Europe/Berlin|America/New_York»",
    "FEATURE_«WORD»=true",
    "CACHE_TTL=«n 60 1»0",
    "S3_BUCKET=«word»-assets-prod",
    "SENTRY_ENVIRONMENT=«staging|production»",
    "GIT_COMMIT=«hex 40»",
    "BUILD_ID=«uuid»",
    "LANG=en_US.UTF-8",
    "SHELL=/bin/bash",
    "HOME=/home/«word»",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM=xterm-256color",
    "DB_HOST=«word».internal",
    "DB_PORT=5432",
    "DB_NAME=«word»_production",
    "PWD=/home/dev/src/«word»",
    "# copied from the wiki",
];

/// Lines of a log.
pub const LOG: &[&str] = &[
    "«time» INFO  server listening on 0.0.0.0:«n 6000 3000»",
    "«time» DEBUG request_id=«uuid» path=/api/v1/«word» status=200",
    "«time» INFO  connected to «word».internal:5432 in «n 900» ms",
    "«time» WARN  slow query («n 9000» ms): SELECT * FROM «word»s",
    "«time» INFO  trace_id=«hex 32» span_id=«hex 16» job finished",
    "«time» INFO  worker «n 16» picked up job «uuid»",
    "«time» ERROR upstream «word» returned 502, attempt «n 5»/5",
    "«time» DEBUG cache hit for key user:«n 90000»:profile",
    "«time» INFO  deployed «hex 7» as «hex 40»",
    "[«time»] GET /assets/«word».«hex 8».js 304 «n 90» ms",
];

/// Lines of a build or a test run.
pub const BUILD: &[&str] = &[
    "   Compiling «word» v0.«n 20».«n 20»",
    "test «word»::tests::reads_«word» ... ok",
    "ok  \tgithub.com/acme/«word»\t«n 9».«n 1000»s",
    "PASS src/«word».test.ts («n 900» ms)",
    "npm warn deprecated «word»@«n 9».«n 9».0: no longer supported",
    "added «n 900» packages, and audited «n 2000» packages in «n 40»s",
    "#«n 30» [build «n 9»/9] COPY «word» /app/«word»",
    " => => writing image sha256:«hex 64»",
    "remote: Resolving deltas: 100% («a=n 400»/«a»), done.",
    "HEAD is now at «hex 7» fix the «word» page",
];

/// Sentences of people.
pub fn prose(random: &mut Random) -> String {
    let sentence = random.pick(&PROSE);
    expand(random, sentence, None)
}

const PROSE: [&str; 12] = [
    "The «word» page is slow since yesterday.",
    "Please have a look at src/«word».rs first.",
    "Run the tests again and tell me what fails.",
    "I think the client never refreshes after the first hour.",
    "We deployed «hex 7» this morning and the job stopped.",
    "Do not change the public API, only the retry logic.",
    "Issue #«n 4000» has the details.",
    "Kannst du bitte auch die Übersetzungen für die Anmeldung prüfen?",
    "ログイン画面のエラーを直してください。",
    "Danke, das sieht schon viel besser aus 👍",
    "The staging cluster is called «word»-«word».",
    "Then commit everything with a short message.",
];

/// Lines of a program.
pub const CODE: &[&str] = &[
    "import { «word» } from './«word».js'",
    "const «word»Timeout = «n 90000»",
    "// «word» is retried three times",
    "def «word»(request, timeout=«n 60»):",
    "let «word» = load_«word»(&path)?;",
    "if err := «word».Close(); err != nil {",
    "MAX_«WORD» = «n 4096»",
    "return fetch(`${base}/«word»?page=${page}`)",
    "}",
    "    pass",
];
