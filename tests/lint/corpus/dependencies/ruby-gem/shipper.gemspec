Gem::Specification.new do |spec|
  spec.name = "shipper"
  spec.version = "1.0.0"
  spec.add_dependency "aws-sdk-core", "~> 3.70.0"
  spec.add_runtime_dependency("aws-sdk-s3", "~> 1.0")
  spec.add_development_dependency "specinfra", ">= 2.80"
end
