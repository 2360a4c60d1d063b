resource "google_compute_instance" "vm" {
  name = "vm"
  metadata_startup_script = <<-EOF
    #!/bin/sh
    curl -H 'Metadata-Flavor: Google' http://169.254.169.254/computeMetadata/v1/instance/id
  EOF
}

resource "aws_s3_bucket" "state" {
  bucket = "state"
}
