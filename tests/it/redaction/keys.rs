//! Private keys of all formats, and carriers that contain them whole.

use data_encoding::BASE64;

use super::Shape;
use super::document::{either, secret, without_marks};
use super::noise::{LOG, lines, prose};
use super::values::{base64, base64_lines, bytes, fill, hex, time, word};
use crate::support::random::Random;

/// A key in lines. The frame counts neither as a secret nor as clean, the content is secret.
fn pem(random: &mut Random, label: &str, headers: &[String], length: usize) -> Vec<String> {
    let mut lines = vec![either(&format!("-----BEGIN {label}-----"))];
    lines.extend(headers.iter().map(|header| either(header)));
    if !headers.is_empty() {
        lines.push(String::new());
    }
    lines.extend(base64_lines(random, length).iter().map(|line| secret(line)));
    lines.push(either(&format!("-----END {label}-----")));
    lines
}

fn plain(label: &'static str, random: &mut Random) -> Vec<String> {
    let length = if label.starts_with("EC") { 121 } else { 400 + random.below(900) as usize };
    pem(random, label, &[], length)
}

type Key = fn(&mut Random) -> Vec<String>;

const KEYS: &[(&str, Key)] = &[
    ("rsa-private-key", |r| plain("RSA PRIVATE KEY", r)),
    ("ec-private-key", |r| plain("EC PRIVATE KEY", r)),
    ("dsa-private-key", |r| plain("DSA PRIVATE KEY", r)),
    ("pkcs8-private-key", |r| {
        let length = if r.one_in(2) { 48 } else { 1218 };
        pem(r, "PRIVATE KEY", &[], length)
    }),
    ("encrypted-private-key", |r| plain("ENCRYPTED PRIVATE KEY", r)),
    ("rsa-private-key-encrypted", |r| {
        let iv = hex(r, 32).to_uppercase();
        let headers = ["Proc-Type: 4,ENCRYPTED".to_owned(), format!("DEK-Info: AES-128-CBC,{iv}")];
        pem(r, "RSA PRIVATE KEY", &headers, 608)
    }),
    ("openssh-private-key", |r| {
        let mut content = b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none".to_vec();
        content.extend(bytes(r, 360));
        let text = BASE64.encode(&content);
        let mut lines = vec![either("-----BEGIN OPENSSH PRIVATE KEY-----")];
        lines.extend(text.as_bytes().chunks(70).map(|l| secret(str::from_utf8(l).unwrap())));
        lines.push(either("-----END OPENSSH PRIVATE KEY-----"));
        lines
    }),
    ("ssh2-private-key", |r| {
        let label = "SSH2 ENCRYPTED PRIVATE KEY";
        let mut lines = vec![either(&format!("---- BEGIN {label} ----"))];
        lines.push(either("Comment: \"2048-bit RSA, imported from an older server\""));
        lines.extend(base64_lines(r, 420).iter().map(|line| secret(line)));
        lines.push(either(&format!("---- END {label} ----")));
        lines
    }),
    ("pgp-private-key", |r| {
        let mut lines = vec![either("-----BEGIN PGP PRIVATE KEY BLOCK-----"), String::new()];
        lines.extend(base64_lines(r, 1500).iter().map(|line| secret(line)));
        lines.push(secret(&fill(r, "=[A-Za-z0-9+/]{4}")));
        lines.push(either("-----END PGP PRIVATE KEY BLOCK-----"));
        lines
    }),
    ("putty-private-key", |r| {
        let mut lines =
            vec![either("PuTTY-User-Key-File-3: ssh-ed25519"), either("Encryption: none")];
        lines.push(either(&format!("Comment: {}@laptop", word(r))));
        lines.push(either("Public-Lines: 2"));
        lines.extend(base64_lines(r, 51).iter().map(|line| either(line)));
        lines.push(either("Private-Lines: 1"));
        lines.push(secret(&base64(r, 36)));
        lines.push(either(&format!("Private-MAC: {}", hex(r, 64))));
        lines
    }),
];

/// Writes a text with a name and a key of several lines.
type Write = fn(&mut Random, name: &str, key: &str) -> String;

/// Carriers of several lines.
const CARRIERS: &[(&str, Write)] = &[
    ("cat of the file", |_, _, key| format!("{key}\n")),
    ("prompt", |r, _, key| format!("{}\nThis is the key:\n\n{key}\n\n{}\n", prose(r), prose(r))),
    ("heredoc", |r, _, key| {
        format!("cat > ~/.ssh/{} <<'EOF'\n{key}\nEOF\nchmod 600 ~/.ssh/*\n", word(r))
    }),
    ("markdown", |r, _, key| format!("{}\n\n```\n{key}\n```\n", prose(r))),
    ("log before and after", |r, _, key| {
        format!("{}{key}\n{}", lines(r, LOG, 2, 5), lines(r, LOG, 2, 5))
    }),
    ("yaml block", |r, _, key| {
        format!("service: {}\ntls:\n  key: |\n{}\n  port: 443\n", word(r), indented(key, "    "))
    }),
    ("diff", |r, _, key| {
        let file = word(r);
        format!("--- /dev/null\n+++ b/{file}.pem\n@@ -0,0 +1,9 @@\n{}\n", indented(key, "+"))
    }),
    ("removed in a diff", |r, _, key| {
        let file = word(r);
        format!("--- a/{file}.pem\n+++ /dev/null\n@@ -1,9 +0,0 @@\n{}\n", indented(key, "-"))
    }),
    ("read with line numbers", |_, _, key| numbered(key, "→")),
    ("cat -n", |_, _, key| numbered(key, "\t")),
    ("grep -n", |_, name, key| {
        let lines = key.lines().enumerate();
        let prefix = |n| either(&format!("certs/{name}.pem:{}:", n + 1));
        lines.map(|(n, line)| format!("{}{line}\n", prefix(n))).collect()
    }),
    ("json string", |r, _, key| {
        format!(
            "{}\n",
            serde_json::json!({"host": word(r), "private_key": format!("{key}\n"), "port": 22})
        )
    }),
    ("environment, escaped", |r, _, key| {
        let one_line = key.replace('\n', "\\n");
        format!("PORT={}\nTLS_PRIVATE_KEY=\"{one_line}\\n\"\nTZ=UTC\n", r.below(9000))
    }),
    ("json in json", |r, _, key| {
        let inner = serde_json::json!({"key": format!("{key}\n"), "user": word(r)}).to_string();
        format!("{}\n", serde_json::json!({"stdout": inner, "stderr": ""}))
    }),
    ("base64 of the file", |r, _, key| {
        let encoded = BASE64.encode(without_marks(key).as_bytes());
        format!(
            "kind: Secret\nmetadata:\n  name: {}\ndata:\n  tls.key: {}\n",
            word(r),
            secret(&encoded)
        )
    }),
    ("crlf", |_, _, key| format!("{}\r\n", key.replace('\n', "\r\n"))),
    ("ci log", |r, _, key| {
        let now = either(&time(r));
        key.lines().map(|line| format!("{now} {line}\n")).collect()
    }),
    ("python string", |r, _, key| {
        format!("KEY = \"\"\"{key}\"\"\"\nHOST = \"{}.example\"\n", word(r))
    }),
    ("go string", |r, _, key| format!("const key = `{key}`\n\nfunc {}() {{}}\n", word(r))),
    ("cut at its end", |_, _, key| {
        // A tool that shows only the first lines of a file.
        let lines: Vec<&str> = key.lines().collect();
        let shown = lines.len() - 1;
        format!("{}\n", lines[..shown].join("\n"))
    }),
];

fn indented(text: &str, by: &str) -> String {
    text.lines().map(|line| format!("{}{line}", either(by))).collect::<Vec<_>>().join("\n")
}

fn numbered(text: &str, separator: &str) -> String {
    let lines = text.lines().enumerate();
    let prefix = |n| either(&format!("{:>6}{separator}", n + 1));
    lines.map(|(n, line)| format!("{}{line}\n", prefix(n))).collect()
}

/// All kinds of keys, each with all carriers.
pub fn shapes() -> Vec<Shape> {
    let shape = |(kind, key): &(&'static str, Key)| {
        let key = *key;
        let texts = CARRIERS.iter().map(|(carrier, write)| {
            let write = *write;
            let text = move |random: &mut Random| {
                let lines = key(random).join("\n");
                let name = word(random);
                write(random, name, &lines)
            };
            (*carrier, Box::new(text) as super::Generate)
        });
        Shape { kind, texts: texts.collect() }
    };
    KEYS.iter().map(shape).collect()
}
