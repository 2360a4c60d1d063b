var request = require('request');

var METADATA = 'http://169.254.169.254/latest/meta-data/';

exports.localIp = function (cb) {
  request({ url: METADATA + 'local-ipv4', timeout: 500 }, function (err, res, body) {
    if (err || res.statusCode !== 200) return cb(err || new Error('no address'));
    cb(null, body);
  });
};
