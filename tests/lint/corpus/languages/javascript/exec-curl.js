const { execSync, spawnSync } = require('child_process');

const id = execSync('curl -sf http://169.254.169.254/latest/meta-data/instance-id').toString();
const ls = spawnSync('ls', ['-l']);
console.log(id, ls.stdout);
