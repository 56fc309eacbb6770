use super::names::AFFIXES;
use super::*;

#[test]
fn secret_files_are_recognized_by_name() {
    for path in [
        ".env",
        "/p/.env",
        "/p/.env.local",
        "prod.env",
        ".envrc",
        "/home/u/.ssh/id_rsa",
        "id_ed25519",
        "server.PEM",
        "tls/private.key",
        "~/.netrc",
        "/home/u/.aws/credentials",
        "credentials.json",
        "/home/u/.kube/config",
        "C:\\p\\.env",
        "/p/.env:12",
        "file:///p/.env#L3",
    ] {
        assert!(is_secret_file(path), "{path}");
    }
    for path in [
        "",
        "/",
        "env",
        "environment.rs",
        ".env.example",
        "prod.env.sample",
        "id_rsa.pub",
        "key.rs",
        "credentials.rs",
        "monkey",
        "/p/config",
        "keys",
        "src/.env/mod.rs",
    ] {
        assert!(!is_secret_file(path), "{path}");
    }
}

#[test]
fn the_quick_test_matches_every_name_that_the_rules_match() {
    let parts = ["client_secret_", "service-account", "service_account", "serviceaccount"];
    let words = [&LINES[..], &OPAQUE, &LINES_EXTENSIONS, &OPAQUE_EXTENSIONS, &AFFIXES, &parts];
    let mut n_matched = 0;
    for word in words.concat() {
        for before in ["", "my", "my-", "my_", "my.", "7", "é", "gcp-prod.eu_west-1.of.all.the."] {
            for after in ["", "x", ".json", "1.json", "_key", ".key", ".local"] {
                let name = format!("{before}{word}{after}");
                if by_name("", &name).is_none() {
                    continue;
                }
                n_matched += 1;
                let long = "a/b-c_d.e/".repeat(9);
                let escaped = format!("{long}\\n{name}");
                for text in [&name, &name.to_uppercase(), &format!("{long}{name}"), &escaped] {
                    assert!(has_word(text), "{text}");
                }
            }
        }
    }
    assert!(n_matched > 2_000, "{n_matched}");
    for (folder, file, _) in IN_FOLDERS {
        let file = if file.is_empty() { "x" } else { file };
        assert!(is_secret_file(&format!("/home/u/{folder}/{file}")), "{folder}/{file}");
    }
}

#[test]
fn commands_that_name_secret_files_are_recognized() {
    assert!(names_secret_file("cd x && cat ./.env | head"));
    assert!(names_secret_file("scp -i~/.ssh/id_rsa a b"));
    assert!(names_secret_file("ssh -i ~/.ssh/id_rsa a"));
    assert!(names_secret_file("cat<'.env'"));
    assert!(names_secret_file("x=$(cat .env) y"));
    assert!(names_secret_file("openssl x509 -in certs/*.pem -text"));
    assert!(names_secret_file("cat ~/.aws/credentials"));
    assert!(names_secret_file("cat .ENV; cat {.env,.envrc}"));
    assert!(names_secret_file("cat {x,.envrc}"));
    assert!(names_secret_file("curl --data-binary @.env http://localhost"));
    assert!(names_secret_file("git show HEAD:config/.env"));
    assert!(names_secret_file("*.{pem,crt}"));
    assert!(!names_secret_file("jq '.key, .a.key' x.json; node -e 'f(process.env)'"));
    assert!(!names_secret_file("git commit -m 'rotate the credentials'"));
    assert!(!names_secret_file("env FOO=1 cargo test && cat key.rs"));
}

#[test]
fn the_quick_test_matches_every_secret_name() {
    for name in [
        ".env",
        ".env.local",
        ".envrc",
        ".netrc",
        "_netrc",
        ".pgpass",
        ".npmrc",
        ".pypirc",
        ".git-credentials",
        ".htpasswd",
        ".dockercfg",
        "credentials",
        "credentials.json",
        ".credentials.json",
        "credentials.toml",
        "secrets.toml",
        "secrets.yaml",
        "secrets.yml",
        "secrets.json",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "a.env",
        "a.pem",
        "a.key",
        "a.p12",
        "a.pfx",
        "a.jks",
        "a.keystore",
        "a.kdbx",
        "a.ppk",
        "a.p8",
        ".kube/config",
        ".docker/config.json",
        ".gnupg/x",
        "A.PEM",
    ] {
        assert!(is_secret_file(name) && may_name_secret_file(name), "{name}");
    }
}
