async function start() {
  let zone = 'unknown';
  try {
    const res = await fetch('http://169.254.169.254/latest/meta-data/placement/availability-zone');
    zone = await res.text();
  } catch (e) {
    // not on EC2
  }
  return zone;
}

start();
