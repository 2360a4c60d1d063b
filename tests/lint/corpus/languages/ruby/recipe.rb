# A recipe, in the way they are written.
package 'jq'
region = `curl -sf http://169.254.169.254/latest/meta-data/placement/availability-zone | sed 's/.$//'`.chomp

execute 'tag' do
  command "aws ec2 create-tags --resources $(curl -sf http://169.254.169.254/latest/meta-data/instance-id) --tags Key=a,Value=b --region #{region}"
end
