const AWS = require('aws-sdk');

const meta = new AWS.MetadataService();
meta.request('/latest/meta-data/instance-id', (err, id) => {
  if (err) throw err;
  console.log(id);
});
