//! Tests of key files: by which names they are recognized, on which routes their values are removed, and
//! which commands keep their output.

use serde_json::{Value, json};

use super::{captured, context, tool_payload};
use crate::capture::Captured;

/// A value of a key file.
const VALUE: &str = "Xylophon4711";

const NAMES: &[&str] = &[
    ".env",
    ".env.local",
    ".env.production",
    ".env.staging",
    "prod.env",
    "config/.env",
    ".envrc",
    ".flaskenv",
    ".dev.vars",
    ".netrc",
    "_netrc",
    ".pgpass",
    "pgpass.conf",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".my.cnf",
    ".mylogin.cnf",
    ".pg_service.conf",
    ".git-credentials",
    ".htpasswd",
    ".htdigest",
    ".dockercfg",
    ".docker/config.json",
    ".dockerconfigjson",
    ".aws/credentials",
    ".aws/config",
    ".boto",
    ".s3cfg",
    ".passwd-s3fs",
    "credentials.json",
    ".credentials.json",
    "credentials.toml",
    ".cargo/credentials.toml",
    ".cargo/credentials",
    ".gem/credentials",
    ".bundle/config",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "secrets.json",
    "secrets.properties",
    "secret.yaml",
    "secret.json",
    ".secrets",
    "vault.yml",
    ".vault-token",
    ".vault_pass",
    ".vault_pass.txt",
    "terraform.tfvars",
    "prod.auto.tfvars",
    "prod.tfvars.json",
    "terraform.tfstate",
    "terraform.tfstate.backup",
    ".terraformrc",
    "credentials.tfrc.json",
    ".kube/config",
    "kubeconfig",
    "prod.kubeconfig",
    "application_default_credentials.json",
    "my-service-account.json",
    "service_account_prod.json",
    "client_secret_1234.json",
    "client_secrets.json",
    "gcloud/credentials.db",
    "gcloud/access_tokens.db",
    ".azure/accessTokens.json",
    ".azure/msal_token_cache.json",
    ".config/gh/hosts.yml",
    ".config/hub",
    ".config/glab-cli/config.yml",
    ".config/doctl/config.yaml",
    ".config/netlify/config.json",
    ".codex/auth.json",
    ".composer/auth.json",
    ".claude/.credentials.json",
    ".gemini/oauth_creds.json",
    "github-copilot/hosts.json",
    ".m2/settings.xml",
    ".m2/settings-security.xml",
    ".gradle/gradle.properties",
    "keystore.properties",
    "android/key.properties",
    ".nuget/NuGet.Config",
    ".config/rclone/rclone.conf",
    "client.ovpn",
    "/etc/wireguard/wg0.conf",
    "wpa_supplicant.conf",
    "home.nmconnection",
    ".smbcredentials",
    ".msmtprc",
    ".fetchmailrc",
    ".mbsyncrc",
    ".offlineimaprc",
    ".authinfo",
    "/etc/postfix/sasl_passwd",
    "/etc/shadow",
    "/etc/gshadow",
    "krb5.keytab",
    "wp-config.php",
    "local_settings.py",
    "config/parameters.yml",
    "config/master.key",
    ".databrickscfg",
    ".snowsql/config",
    ".snowflake/connections.toml",
    ".dbt/profiles.yml",
    ".kaggle/kaggle.json",
    ".cache/huggingface/token",
    ".oci/config",
    ".sentryclirc",
    ".Renviron",
    ".stripe/config.toml",
    ".config/hcloud/cli.toml",
    ".circleci/cli.yml",
    ".fly/config.yml",
    ".ssh/id_rsa",
    ".ssh/id_dsa",
    ".ssh/id_ecdsa",
    ".ssh/id_ed25519",
    ".ssh/id_ed25519_sk",
    ".ssh/identity",
    "deploy_rsa",
    "ci_ed25519",
    "ssh_host_rsa_key",
    "server.pem",
    "tls/private.key",
    "privkey.pem",
    "cert.p12",
    "cert.pfx",
    "store.jks",
    "app.keystore",
    "bc.bks",
    "passwords.kdbx",
    "old.kdb",
    "login.ppk",
    "sign.p8",
    "android.pk8",
    "sops.agekey",
    "strong.snk",
    ".gnupg/secring.gpg",
    ".password-store/mail.gpg",
    "wallet.dat",
    "logins.json",
    "key4.db",
    "cookies.sqlite",
    "cookies.txt",
    "passwords.txt",
    "token.txt",
    "api_key.txt",
    "mnemonic.txt",
    "recentservers.xml",
    "sftp-config.json",
];

/// Returns the JSON of the recorded event, or an empty text.
fn recorded(payload: &Value) -> String {
    match captured(&payload.to_string(), &context()) {
        Captured::Event(event) => event.to_json(),
        _ => String::new(),
    }
}

#[test]
fn no_value_of_a_key_file_is_recorded() {
    assert!(NAMES.len() >= 126, "{}", NAMES.len());
    for name in NAMES {
        let path = format!("/home/u/{}", name.trim_start_matches('/'));
        let content = format!("# comment\nA_NAME={VALUE}\n");
        let read = tool_payload(
            "Read",
            json!({"file_path": path}),
            json!({"type": "text", "file": {"filePath": path, "content": content, "numLines": 2}}),
        );
        let cat = tool_payload(
            "Bash",
            json!({"command": format!("cat {path}")}),
            json!({"stdout": content}),
        );
        let mut failed =
            tool_payload("Bash", json!({"command": format!("cat {path}; false")}), json!(null));
        failed["hook_event_name"] = "PostToolUseFailure".into();
        failed["error"] = format!("Exit code 1\n{content}").into();
        let write =
            tool_payload("Write", json!({"file_path": path, "content": content}), json!("ok"));
        let edit = tool_payload(
            "Edit",
            json!({"file_path": path, "old_string": VALUE, "new_string": "x"}),
            json!({"filePath": path, "structuredPatch": [{"lines": [format!("-A={VALUE}"), "+A=x"]}]}),
        );
        for payload in [read, cat, failed, write, edit] {
            let recorded = recorded(&payload);
            assert!(!recorded.contains(VALUE), "{name}: {recorded}");
        }
    }
}

#[test]
fn no_route_records_the_values_of_a_key_file() {
    let out = |text: &str| json!({"stdout": text, "stderr": ""});
    let line = format!("TOKEN={VALUE}");
    let bash =
        |command: &str, text: &str| tool_payload("Bash", json!({ "command": command }), out(text));
    let encoded = "VE9LRU49WHlsb3Bob240NzEx"; // base64 of the line
    let mut routes = Vec::new();
    for command in [
        "cat .env",
        "cat ./.env",
        "cat '.env'",
        "cat \".env\"",
        "cat .e?v",
        "cat .en*",
        "cat .[e]nv",
        "cat {.env,x}",
        "cd config && cat .env",
        "head -3 .env",
        "tail -n 5 prod.env",
        "less .env",
        "more .env",
        "bat .env",
        "nl .env",
        "sort .env",
        "tac .env",
        "grep . .env",
        "grep -n TOKEN .env",
        "rg = .env",
        "git show HEAD:.env",
        "git diff -- .env",
        "git log -p -- .env",
        "diff .env .env.old",
        "sudo cat .env",
        "docker exec app cat .env",
        "ssh host cat .env",
        "bash -c 'cat .env'",
        "sh -c \"cat .env\"",
        "cat .env | head -3",
        "cat < .env",
        "while read l; do echo $l; done < .env",
        "source .env; env",
        "set -a; . .env; printenv",
        "xargs < .env",
        "python show.py .env",
        "node -r dotenv/config x.js .env",
        "cp .env /dev/stdout",
        "dd if=.env",
        "vim -es .env",
        "cat \\u002eenv .env",
        "type .env",
        "Get-Content .env",
    ] {
        routes.push((command.to_owned(), bash(command, &format!("start\n{line}\nend"))));
    }
    for command in [
        "base64 .env",
        "cat .env | base64",
        "openssl enc -base64 -in .env",
        "xxd -p .env",
        "gzip -c .env",
    ] {
        routes.push((command.to_owned(), bash(command, encoded)));
    }
    for command in [
        "cut -d= -f2 .env",
        "awk -F= '{print $2}' .env",
        "sed 's/.*=//' .env",
        "jq -r .t credentials.json",
        "cat .env | cut -d= -f2",
        "grep -oh '=.*' .env",
        "tr '=' ' ' < .env",
        "rev .env",
    ] {
        routes.push((command.to_owned(), bash(command, VALUE)));
    }
    let write = |command: String| (command.clone(), bash(&command, ""));
    routes.push(write(format!("echo {line} >> .env")));
    routes.push(write(format!("cat > .env <<'EOF'\n{VALUE}\nEOF")));
    routes.push(write(format!("tee .env <<< {VALUE}")));
    routes.push(write(format!("printf %s {VALUE} | tee .env")));
    routes.push(write(format!("sed -i 's/x/{VALUE}/' .env")));
    routes.push(write(format!("python3 -c \"open('.env','w').write('{VALUE}')\"")));
    let dir = "/home/u/.kube";
    let mut in_folder = bash("cat config", &format!("token: {VALUE}"));
    in_folder["cwd"] = dir.into();
    routes.push(("cat config in .kube".into(), in_folder));
    routes.push(("cd".into(), bash("cd ~/.kube && cat config", &format!("token: {VALUE}"))));
    for (tool, input, response) in [
        ("mcp__fs__read_file", json!({"path": "/p/.env"}), json!([{"type": "text", "text": line}])),
        (
            "mcp__fs__read_multiple_files",
            json!({"paths": ["/p/a.rs", "/p/.env"]}),
            json!([{"type": "text", "text": line}]),
        ),
        (
            "mcp__docs__read",
            json!({"uri": "file:///p/.env"}),
            json!([{"type": "text", "text": line}]),
        ),
        (
            "ReadMcpResourceTool",
            json!({"uri": "file:///p/.env"}),
            json!({"contents": [{"uri": "file:///p/.env", "text": line}]}),
        ),
        (
            "Grep",
            json!({"pattern": "=", "path": "/p/.env"}),
            json!({"mode": "content", "content": format!("1:{line}")}),
        ),
        (
            "Grep",
            json!({"pattern": "=", "path": "/p"}),
            json!({"mode": "content", "content": format!("/p/a.rs:1:x\n/p/.env:1:{line}")}),
        ),
        (
            "Grep",
            json!({"pattern": "=", "path": "/p"}),
            json!({"mode": "content", "content": format!("/p/.env-2-{line}")}),
        ),
        (
            "NotebookEdit",
            json!({"notebook_path": "/p/.env", "new_source": line}),
            json!({"new_source": line}),
        ),
        (
            "MultiEdit",
            json!({"file_path": "/p/.env", "edits": [{"old_string": "a", "new_string": VALUE}]}),
            json!({}),
        ),
        (
            "apply_patch",
            json!({"input": format!("*** Begin Patch\n*** Update File: .env\n@@\n-x\n+{line}\n*** End Patch")}),
            json!("Done"),
        ),
        (
            "Bash",
            json!({"command": "./setup.sh"}),
            json!({"stdout": "ok", "bashEditDiff": {"files": [{"filePath": "/p/.env", "hunks": [{"lines": [format!("+{line}")]}]}]}}),
        ),
        (
            "Bash",
            json!({"command": "make show"}),
            json!({"stdout": format!("==> .env <==\n{line}\n==> a <==\nx")}),
        ),
        (
            "Bash",
            json!({"command": "git diff"}),
            json!({"stdout": format!("diff --git a/.env b/.env\n+{line}")}),
        ),
    ] {
        routes.push((format!("{tool} {input}"), tool_payload(tool, input, response)));
    }
    assert!(routes.len() >= 61, "{}", routes.len());
    for (route, payload) in routes {
        let text = recorded(&payload);
        assert!(!text.contains(VALUE) && !text.contains(encoded), "{route}: {text}");
    }
}

/// Commands that name a key file, and what they print.
const HARMLESS: &[(&str, &str)] = &[
    ("ls -la .env", "-rw------- 1 u u 120 Nov 30 10:00 .env"),
    ("ls -la .env && git status", "On branch main\n\tmodified:   .env\nnothing added to commit"),
    ("git add .env.example && git rm --cached .env", "rm '.env'"),
    ("git check-ignore .env", ".env"),
    ("git ls-files .env", ".env"),
    ("git log --oneline -- .env", "3f9a81c add the sample"),
    ("test -f .env && echo yes", "yes"),
    ("[ -e .env ] || echo missing", "missing"),
    ("stat .env", "  File: .env\n  Size: 120  Blocks: 8  IO Block: 4096   regular file"),
    ("wc -l .env", "12 .env"),
    ("du -h .env", "4.0K\t.env"),
    ("file server.pem", "server.pem: PEM certificate"),
    ("rm -f .env", ""),
    ("mv .env .env.old", ""),
    ("cp .env.example .env", ""),
    ("chmod 600 .ssh/id_rsa", ""),
    ("chown me .ssh/id_rsa && ls .ssh", "id_rsa\nid_rsa.pub\nknown_hosts"),
    ("touch .env", ""),
    ("ln -s ../.env .env", ""),
    ("realpath .env", "/home/u/p/.env"),
    ("find . -name .env", "./.env\n./api/.env"),
    ("grep -c = .env", "12"),
    ("grep -q TOKEN .env && echo set", "set"),
    ("grep -l TOKEN .env", ".env"),
    ("diff -q .env .env.old", "Files .env and .env.old differ"),
    ("source .env && npm test", "Tests: 12 passed, 12 total\nTime: 3.2 s"),
    ("set -a; . ./.env; set +a; cargo test", "test result: ok. 3 passed; 0 failed"),
    ("docker run --env-file .env app true", "Unable to find image 'app:latest' locally"),
    ("docker compose --env-file .env up -d", "Container app-1  Started"),
    ("node --env-file=.env server.js", "listening on port 3000"),
    ("dotenv -f .env run pytest", "===== 12 passed in 0.31s ====="),
    ("ssh -i ~/.ssh/id_ed25519 host uptime", " 10:00:00 up 3 days,  2:11,  1 user"),
    ("scp -i ~/.ssh/id_rsa a.txt host:", "a.txt  100%   12KB  12.0KB/s   00:00"),
    ("ssh-add ~/.ssh/id_rsa", "Identity added: /home/u/.ssh/id_rsa"),
    ("curl --cert client.pem --key client.key https://a.example", "{\"ok\":true}"),
    (
        "kubectl --kubeconfig .kube/config get pods",
        "NAME   READY   STATUS    RESTARTS   AGE\napp    1/1     Running   0          3d",
    ),
    (
        "KUBECONFIG=.kube/config helm list",
        "NAME\tNAMESPACE\tREVISION\tSTATUS\napp \tdefault  \t3       \tdeployed",
    ),
    (
        "terraform plan -var-file=prod.tfvars",
        "No changes. Your infrastructure matches the configuration.",
    ),
    (
        "ansible-playbook site.yml --vault-password-file .vault_pass",
        "PLAY RECAP\nhost : ok=3    changed=1",
    ),
    (
        "nginx -t -c nginx.conf # uses server.key",
        "nginx: configuration file nginx.conf test is successful",
    ),
    ("npm publish --userconfig .npmrc", "+ pkg@1.2.3"),
    ("twine upload --config-file .pypirc dist/*", "Uploading pkg-1.2.3.tar.gz"),
    (
        "sha256sum server.key",
        "3f9a81c07be245d63f9a81c07be245d63f9a81c07be245d63f9a81c07be245d6  server.key",
    ),
    ("shred -u .env", ""),
    ("sops --encrypt --in-place secrets.yaml; git status --short", " M secrets.yaml"),
];

#[test]
fn harmless_commands_keep_their_output() {
    assert!(HARMLESS.len() >= 40, "{}", HARMLESS.len());
    let mut lost = Vec::new();
    for (command, output) in HARMLESS {
        let payload =
            tool_payload("Bash", json!({ "command": command }), json!({ "stdout": output }));
        let text = recorded(&payload);
        let event: Value = serde_json::from_str(&text).unwrap_or_default();
        let response = event["tool"]["response"].as_str().unwrap_or_default();
        let stdout = serde_json::from_str::<Value>(response).unwrap_or_default();
        if stdout["stdout"] != json!(output) {
            lost.push(format!("{command}: {text}"));
        }
    }
    // `sops` and `dotenv` can print or write the file in another form. The output of `stat` and `file` looks
    // like the lines of a search.
    assert!(lost.len() <= 4, "{lost:#?}");
}
