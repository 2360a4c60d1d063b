"""moto's own functions, taken before `install` replaces them, for what builds on them."""

from moto.ec2.models.amis import AmiBackend
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.tags import TagBackend
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.launch_templates import LaunchTemplates

run_instances = InstanceBackend.run_instances
create_tags = TagBackend.create_tags
create_image = AmiBackend.create_image
copy_image = AmiBackend.copy_image
run_instances_call = InstanceResponse.run_instances
modify_image_attribute_call = AmisResponse.modify_image_attribute
describe_image_attribute_call = AmisResponse.describe_image_attribute
register_image_call = AmisResponse.register_image
get_launch_template_data_call = LaunchTemplates.get_launch_template_data
