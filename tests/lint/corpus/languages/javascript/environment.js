process.env.AWS_EC2_METADATA_DISABLED = 'true';
const { S3Client, ListBucketsCommand } = require('@aws-sdk/client-s3');

new S3Client({}).send(new ListBucketsCommand({})).then(console.log);
