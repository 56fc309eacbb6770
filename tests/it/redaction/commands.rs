//! Passwords in URLs and in arguments of commands.

use super::template::Text::{Escaped, Once};
use super::template::{Table, Texts};

pub const COMMANDS: Table = &[
    ("url-postgres", POSTGRES),
    ("url-mysql", MYSQL),
    ("url-mongodb", MONGODB),
    ("url-redis", REDIS),
    ("url-amqp", AMQP),
    ("url-https", HTTPS),
    ("url-other", OTHER_URLS),
    ("option-password", PASSWORD_OPTIONS),
    ("option-short", SHORT_OPTIONS),
    ("option-user", USER_OPTIONS),
    ("option-token", TOKEN_OPTIONS),
    ("option-of-a-program", PROGRAM_OPTIONS),
];

const POSTGRES: Texts = &[
    ("env file", Once("«settings 1 4»DATABASE_URL=postgres://«user»:«!password»@«host»:5432/«word»\n")),
    ("quoted", Once("DATABASE_URL=\"postgresql://«user»:«!password»@«host»/«word»?sslmode=require\"\n")),
    ("psql", Once("psql postgres://«user»:«!password»@«host»/«word» -c 'select 1'\n")),
    ("sqlalchemy", Once("engine = create_engine(\"postgresql+psycopg2://«user»:«!password»@«host»/«word»\")\n")),
    ("error", Once("«build 0 3»sqlx::Error: could not connect to postgres://«user»:«!password»@«host»:5432/«word»: timeout\n")),
    ("json", Once("{\"db\":{\"url\":\"postgres://«user»:«!password»@«host»:5432/«word»\",\"pool\":5}}\n")),
    ("escaped json", Escaped("{\"stdout\":\"«escaped»\"}\n", "{\"url\":\"postgres://«user»:«!password»@«host»:5432/«word»\"}")),
    ("percent", Once("DATABASE_URL=postgres://«user»:«![A-Za-z0-9]{6}%40[A-Za-z0-9]{4}%21[0-9]{2}»@«host»/«word»\n")),
    ("diff", Once("@@ -1,3 +1,3 @@\n PORT=3000\n-DATABASE_URL=postgres://«user»:«!password»@«host»/«word»\n+DATABASE_URL=postgres://localhost/dev\n")),
];

const MYSQL: Texts = &[
    ("yaml", Once("database:\n  url: mysql://«user»:«!password»@«host»:3306/«word»\n  pool: 10\n")),
    ("go dsn", Once("db, err := sql.Open(\"mysql\", \"«user»:«!password»@tcp(«host»:3306)/«word»?parseTime=true\")\n")),
    ("mysql2", Once("DATABASE_URL: mysql2://«user»:«!password»@«host»/«word»\n")),
    ("log", Once("«log 1 3»«time» INFO  using mysql://«user»:«!password»@«host»/«word»\n")),
    ("mariadb", Once("export DB=mariadb+pymysql://«user»:«!password»@«host»/«word»?charset=utf8mb4\n")),
];

const MONGODB: Texts = &[
    ("srv", Once("MONGODB_URI=mongodb+srv://«user»:«!password»@cluster0.«[a-z0-9]{5}».mongodb.net/«word»?retryWrites=true&w=majority\n")),
    ("hosts", Once("mongodb://«user»:«!password»@«host»:27017,«host»:27017/«word»?replicaSet=rs0\n")),
    ("javascript", Once("mongoose.connect('mongodb://«user»:«!password»@«host»:27017/«word»');\n")),
    ("error", Once("MongoServerError: bad auth: mongodb+srv://«user»:«!password»@«host»/\n    at Connection.onMessage (node_modules/mongodb/lib/cmap/connection.js:202:26)\n")),
];

const REDIS: Texts = &[
    ("without a user", Once("REDIS_URL=redis://:«!password»@«host»:6379/0\n")),
    ("with a user", Once("REDIS_URL=rediss://default:«![A-Za-z0-9]{40}»@«host»:6380\n")),
    ("python", Once("r = redis.from_url(\"redis://:«!password»@«host»:6379/1\")\n")),
    ("celery", Once("[config]\n.> app:         «word»\n.> transport:   redis://:«!password»@«host»:6379/0\n.> concurrency: 8 (prefork)\n")),
];

const AMQP: Texts = &[
    ("env file", Once("AMQP_URL=amqp://«user»:«!password»@«host»:5672/«word»\n")),
    ("yaml", Once("broker:\n  url: amqps://«user»:«!password»@«host»/«word»\n  prefetch: 10\n")),
    ("nats", Once("nats sub -s nats://«user»:«!password»@«host»:4222 'orders.>'\n")),
    ("mqtt", Once("mqtt://«user»:«!password»@«host»:1883\n")),
];

const HTTPS: Texts = &[
    ("curl", Once("curl -s https://«user»:«!password»@«host»/api/v1/status\n")),
    ("proxy", Once("export HTTPS_PROXY=http://«user»:«!password»@proxy.«word».example:3128\n")),
    ("prompt", Once("«prose»\nIt is at https://«user»:«!password»@«host»/grafana and shows nothing.\n")),
    ("elastic", Once("ELASTICSEARCH_HOSTS=[\"https://elastic:«!password»@«host»:9200\"]\n")),
    ("markdown", Once("See [the dashboard](https://«user»:«!password»@«host»/d/«word») for the numbers.\n")),
    ("error", Once("fatal: unable to access 'https://«user»:«!password»@git.«word».example/«word».git/': Could not resolve host\n")),
    ("requirements", Once("--extra-index-url https://«user»:«!password»@pypi.«word».example/simple/\nflask==3.0.«n 9»\n")),
    ("sentry dsn", Once("SENTRY_DSN=https://«hex 32»:«!hex 32»@sentry.«word».example/«n 90»\n")),
];

const OTHER_URLS: Texts = &[
    ("ftp", Once("lftp ftp://«user»:«!password»@«host»\n")),
    ("sftp", Once("backup: sftp://«user»:«!password»@«host»/srv/backup\n")),
    ("smtp", Once("MAILER_DSN=smtp://«user»:«!password»@«host»:587\n")),
    ("smtps", Once("SMTP_URL=smtps://«user»%40example.com:«!password»@«host»:465\n")),
    ("ldap", Once("ldap://cn=«user»,dc=example:«!password»@«host»:389\n")),
    ("cloudinary", Once("CLOUDINARY_URL=cloudinary://«[0-9]{15}»:«![A-Za-z0-9_-]{26}[A-Za-z0-9]»@«word»\n")),
    ("clickhouse", Once("clickhouse://«user»:«!password»@«host»:9000/«word»\n")),
    ("sqlserver", Once("sqlserver://«user»:«!password»@«host»:1433?database=«word»\n")),
    ("snowflake", Once("snowflake://«user»:«!password»@«word»-eu/«word»/public\n")),
    ("rtsp", Once("ffmpeg -i rtsp://«user»:«!password»@10.0.0.«n 250»/stream1 out.mp4\n")),
];

const PASSWORD_OPTIONS: Texts = &[
    ("space", Once("./bin/«word» import --user «user» --password «!password» dump.sql\n")),
    ("equals", Once("mysqldump --host=«host» --user=«user» --password=«!password» «word» > dump.sql\n")),
    ("quoted", Once("influx setup --username «user» --password '«!password»' --force\n")),
    ("wget", Once("wget --http-user=«user» --http-password=«!password» https://«host»/file.tgz\n")),
    ("db-password", Once("bundle exec rake setup --db-user «user» --db-password «!password»\n")),
    ("java", Once("java -Ddb.password=«!password» -jar «word».jar\n")),
    ("ps", Once("  PID TTY          CMD\n «n 9000 100»  ?   /usr/bin/«word» --port 80 --password=«!password»\n")),
    ("history", Once("  «n 900»  cd /srv/«word»\n  «n 900»  svn checkout --username «user» --password «!password» https://svn.example.com/trunk\n")),
    ("passphrase", Once("gpg --batch --passphrase «!password» -c «word».tar\n")),
    ("json array", Once("[\"--user\", \"«user»\", \"--password\", \"«!password»\"]\n")),
    ("ansible", Once("ansible-playbook site.yml -e \"ansible_become_password=«!password»\"\n")),
];

const SHORT_OPTIONS: Texts = &[
    ("mysql", Once("mysql -h «host» -u «user» -p«!password» «word»\n")),
    ("mysql -uroot", Once("docker exec db mysql -uroot -p«!password» -e 'show databases'\n")),
    ("sshpass", Once("sshpass -p «!password» ssh «user»@«host»\n")),
    ("sshpass quoted", Once("sshpass -p '«!password»' scp «word».tgz «user»@«host»:/srv/\n")),
    ("redis-cli", Once("redis-cli -h «host» -a «!password» ping\nPONG\n")),
    ("docker login", Once("docker login -u «user» -p «!password» registry.«word».example\n")),
    ("ldapsearch", Once("ldapsearch -x -D cn=admin,dc=example -w «!password» -b dc=example\n")),
    ("mongosh", Once("mongosh --host «host» -u «user» -p «!password» --authenticationDatabase admin\n")),
    ("htpasswd", Once("htpasswd -b /etc/nginx/.htpasswd «user» «!password»\n")),
    ("sqlcmd", Once("sqlcmd -S «host» -U sa -P «!password» -Q 'select @@version'\n")),
    ("unzip", Once("unzip -P «!password» «word».zip\n")),
    ("7z", Once("7z x -p«!password» «word».7z\n")),
    ("az login", Once("az login --service-principal -u «word» -p «!password» --tenant example.com\n")),
];

const USER_OPTIONS: Texts = &[
    ("curl", Once("curl -u «user»:«!password» https://«host»/api\n")),
    ("curl --user", Once("curl --user '«user»:«!password»' -X POST https://«host»/rest\n")),
    ("curl joined", Once("curl -su«user»:«!password» https://«host»/metrics\n")),
    ("curl key", Once("curl https://api.stripe.com/v1/charges -u «!sk_live_[A-Za-z0-9]{24}»:\n")),
    ("httpie", Once("http -a «user»:«!password» GET «host»/users\n")),
    ("smbclient", Once("smbclient //«host»/share -U «user»%«!password»\n")),
    ("ab", Once("ab -n 100 -A «user»:«!password» https://«host»/\n")),
];

const TOKEN_OPTIONS: Texts = &[
    ("token", Once("./«word» deploy --token «!hex 40» --env prod\n")),
    ("token equals", Once("snyk-like scan --token=«![A-Za-z0-9]{40}» .\n")),
    ("api-key", Once("«word» sync --api-key «![A-Za-z0-9]{32}» --region eu\n")),
    ("dotnet", Once("dotnet nuget push «word».nupkg --api-key «!oy2[a-z0-9]{43}» -s https://api.nuget.org/v3/index.json\n")),
    ("auth-token", Once("npx «word» publish --auth-token \"«![A-Za-z0-9_-]{42}[A-Za-z0-9]»\"\n")),
    ("secret-key", Once("mc alias set «word» https://«host» --access-key «![A-Z0-9]{20}» --secret-key «![A-Za-z0-9]{40}»\n")),
    ("client-secret", Once("oauth2l fetch --client-id «word» --client-secret «![A-Za-z0-9_-]{42}[A-Za-z0-9]»\n")),
    ("args of a pod", Once("        args:\n          - --listen=:8080\n          - --api-token=«!hex 64»\n")),
    ("cargo login", Once("cargo login «!cio[A-Za-z0-9]{32}»\n")),
    ("vault login", Once("vault login «!hvs.[A-Za-z0-9]{24}»\n")),
];

const PROGRAM_OPTIONS: Texts = &[
    ("openssl", Once("openssl enc -aes-256-cbc -pbkdf2 -in «word».tar -pass pass:«!password»\n")),
    ("openssl -passin", Once("openssl rsa -in «word».pem -passin pass:«!password» -out plain.pem\n")),
    ("openssl -K", Once("openssl enc -d -aes-256-cbc -K «!hex 64» -iv «?hex 32» -in «word».bin\n")),
    ("keytool", Once("keytool -importcert -keystore «word».jks -storepass «!password» -noprompt\n")),
    ("chpasswd", Once("echo '«user»:«!password»' | sudo chpasswd\n")),
    ("passwd", Once("echo «!password» | passwd --stdin «user»\n")),
    ("sudo -S", Once("echo '«!password»' | sudo -S systemctl restart «word»\n")),
    ("pgpassword", Once("PGPASSWORD=«!password» pg_dump -h «host» -U «user» «word»\n")),
    ("mysql_pwd", Once("MYSQL_PWD='«!password»' mysql -u «user» «word»\n")),
    ("net use", Once("net use Z: \\\\«word»\\share /user:«user» «!password»\n")),
    ("wg genkey", Once("wg genkey\n«!base64 32»\n")),
    ("redis auth", Once("127.0.0.1:6379> AUTH «!password»\nOK\n")),
    ("smtp auth", Once("C: AUTH PLAIN «!base64 30»\nS: 235 2.7.0 Authentication successful\n")),
];
