"""What readers of templates say of launches, requests and settings, and which scripts they find."""

import os
from pathlib import Path

import pytest

from imdsctl.lint.engine import look, unfolded
from imdsctl.lint.facts import Fact, Launch, Request, Setting
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.source import Source

AREA = Path(__file__).parent / "corpus" / "iac"
INSTANCE = (
    'resource "aws_instance" "a" {\n  metadata_options {\n    http_tokens = var.tokens\n  }\n}\n'
)


def read(path: str | Path, text: str | None = None) -> list[tuple[Source, list[Fact]]]:
    text = Path(path).read_text() if text is None else text
    kind = kind_of(str(path), text)
    assert kind is not None
    return list(unfolded(Source(str(path), kind, text)))


def facts(path: str | Path, text: str | None = None) -> list[Fact]:
    return [fact for _, found in read(path, text) for fact in found]


def launches(path: str | Path, text: str | None = None) -> list[Launch]:
    return [fact for fact in facts(path, text) if isinstance(fact, Launch)]


def scripts(path: str | Path, text: str | None = None) -> list[Source]:
    return [source for source, _ in read(path, text) if source.inside]


def line_with(source: Source, words: str) -> int:
    """The line of the file on which words of an embedded text stand."""
    return source.place(source.text.index(words), source.text.index(words) + 1).line


def rules(path: str | Path, text: str | None = None) -> set[str]:
    text = Path(path).read_text() if text is None else text
    return {one.rule for one in look(Source(str(path), kind_of(str(path), text) or "", text))}


def test_a_script_in_a_heredoc_keeps_its_lines_and_columns() -> None:
    (script,) = scripts(AREA / "terraform/launch_configuration/main.tf")
    assert script.kind == "shell"
    assert script.inside == "user_data of aws_launch_configuration.web"
    at = script.text.index("curl")
    place = script.place(at, at + 4)
    row = (AREA / "terraform/launch_configuration/main.tf").read_text().split("\n")[place.line - 1]
    assert row[place.column - 1 : place.end_column] == "curl"


def test_marks_of_a_template_do_not_reach_the_script() -> None:
    (script,) = scripts(AREA / "terraform/launch_configuration/main.tf")
    assert 'echo "${INSTANCE_ID} var_environment"' in script.text
    (script,) = scripts(AREA / "terraform/scripts/agent.sh.tftpl")
    assert "%{" not in script.text
    assert line_with(script, "169.254") == 6
    assert 'echo "${AZ}"' in script.text


def test_every_part_of_a_multi_part_message_is_a_script() -> None:
    parts = scripts(AREA / "terraform/cloudinit/main.tf")
    kinds = [
        (part.kind, part.lines[0] if part.lines else 0)
        for part in parts
        if part.inside == "content of cloudinit_config.agent"
    ]
    assert kinds == [("cloud-config", 8), ("shell", 18)]


def test_the_lines_of_a_provisioner_are_one_script() -> None:
    (script,) = scripts(AREA / "terraform/provisioner/main.tf")
    assert script.kind == "shell"
    assert line_with(script, "apt-get") == 10
    assert line_with(script, "169.254") == 11


def test_user_data_in_a_file_without_a_name_for_it_is_read_where_it_is_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "setup").write_text("# rendered first\n#!/bin/sh\ncurl http://169.254.169.254/\n")
    text = 'resource "aws_instance" "a" {\n  ami       = "x"\n  user_data = file("setup")\n}\n'
    (tmp_path / "main.tf").write_text(text)
    (script,) = scripts(tmp_path / "main.tf")
    assert script.inside == "user_data of aws_instance.a (setup)"
    assert line_with(script, "169.254") == 3


def test_a_file_outside_of_the_tree_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x\n#!/bin/sh\ndocker\n")
    folder = tmp_path / "repository" / "modules" / "app"
    folder.mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    for name in (
        "../../../secret",
        str(tmp_path / "secret"),
        "link",
        "pipe",
        "missing",
        "a\\u0000b",
    ):
        text = f'resource "aws_instance" "a" {{\n  ami = "x"\n  user_data = file("{name}")\n}}\n'
        (folder / "main.tf").write_text(text)
        assert scripts(folder / "main.tf") == [], name
        (launch,) = launches(folder / "main.tf")
        assert launch.containers == "unknown", name
        assert launch.user_data == "yes"


def test_a_variable_is_what_the_files_say_that_are_always_loaded(tmp_path: Path) -> None:
    (tmp_path / "variables.tf").write_text('variable "tokens" {\n  default = "optional"\n}\n')
    text = INSTANCE
    (tmp_path / "main.tf").write_text(text)
    (launch,) = launches(tmp_path / "main.tf")
    assert launch.options == {"http_tokens": "optional"}
    assert launch.assumed == {"http_tokens"}
    (tmp_path / "prod.auto.tfvars").write_text('tokens = "required"\n')
    (launch,) = launches(tmp_path / "main.tf")
    assert launch.options == {"http_tokens": "required"}
    assert launch.assumed == frozenset()


def test_of_values_that_somebody_may_choose_the_weaker_is_told(tmp_path: Path) -> None:
    (tmp_path / "variables.tf").write_text('variable "tokens" {\n  default = "required"\n}\n')
    (tmp_path / "old.tfvars").write_text('tokens = "optional"\n')
    text = INSTANCE
    (tmp_path / "main.tf").write_text(text)
    (launch,) = launches(tmp_path / "main.tf")
    assert launch.options == {"http_tokens": "optional"}
    assert launch.assumed == {"http_tokens"}


def test_a_changed_file_of_a_module_is_read_anew(tmp_path: Path) -> None:
    text = (
        'resource "aws_instance" "a" {\n  metadata_options {\n    http_tokens = local.t\n  }\n}\n'
    )
    (tmp_path / "main.tf").write_text(text)
    for value in ("optional", "required"):
        (tmp_path / "locals.tf").write_text(f'locals {{\n  t = "{value}"\n}}\n')
        os.utime(tmp_path / "locals.tf", ns=(len(value), hash(value) % 10**9))
        (launch,) = launches(tmp_path / "main.tf")
        assert launch.options == {"http_tokens": value}


def test_a_call_of_a_module_is_told_where_it_weakens_it() -> None:
    (launch,) = launches(AREA / "terraform/module/main.tf")
    assert launch.name == "module.old.aws_instance.this"
    assert launch.options["http_tokens"] == "optional"
    assert launch.members["http_tokens"].line == 9


def test_a_module_that_calls_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('module "again" {\n  source = "./"\n  x = "optional"\n}\n')
    assert launches(tmp_path / "main.tf") == []


def test_a_launch_that_names_a_template_is_silent_on_purpose() -> None:
    found = {one.name: one for one in launches(AREA / "terraform/asg_template/main.tf")}
    assert found["aws_autoscaling_group.web"].template == "aws_launch_template.web"
    assert not found["aws_autoscaling_group.web"].has_options


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("terraform/eks_nodes/main.tf", "aws_launch_template.nodes"),
        ("terraform/ecs_capacity/main.tf", "aws_launch_template.ecs"),
        ("terraform/scripts/main.tf", "aws_instance.agent"),
        ("cloudformation/ecs.yaml", "Host"),
        ("cloudformation/eks.yaml", "NodeTemplate"),
    ],
)
def test_a_host_of_containers_is_known_by_what_launches_or_sets_it_up(
    path: str, wanted: str
) -> None:
    assert [one.containers for one in launches(AREA / path) if one.name == wanted] == ["yes"]


def test_docker_in_a_comment_makes_no_host_of_containers() -> None:
    text = (
        'resource "aws_instance" "a" {\n  user_data = <<-EOF\n    #!/bin/sh\n'
        "    # docker is gone from here\n    nginx\n  EOF\n}\n"
    )
    (launch,) = launches("main.tf", text)
    assert launch.containers == "unknown"


def test_user_data_of_a_stack_is_found_behind_its_functions() -> None:
    (script,) = scripts(AREA / "cloudformation/instance.yaml")
    assert script.kind == "shell"
    assert line_with(script, "169.254") == 17
    assert "${REGION}" in script.text
    assert "AWS__Region" in script.text
    (script,) = scripts(AREA / "cloudformation/launch_configuration.json")
    assert line_with(script, "169.254") == 11
    assert line_with(script, "create-tags") == 12
    assert "--region AWS__Region\n" in script.text


def test_commands_and_files_of_cfn_init_are_scripts() -> None:
    found = {s.inside: s for s in scripts(AREA / "cloudformation/cfn_init.yaml")}
    assert line_with(found["file /usr/local/bin/tag.sh of Web"], "169.254") == 12
    assert line_with(found["command 01_id of Web"], "169.254") == 15


def test_the_steps_of_an_ssm_document_are_scripts() -> None:
    (script,) = scripts(AREA / "cloudformation/ssm_document.json")
    assert (script.kind, line_with(script, "169.254")) == ("shell", 11)


def test_both_branches_of_a_condition_count() -> None:
    web, api = launches(AREA / "cloudformation/condition.yaml")
    assert web.options == {"http_tokens": "optional"}
    assert web.assumed == {"http_tokens"}
    assert api.options == {}


def test_a_condition_that_nobody_can_change_is_decided() -> None:
    text = (
        "Conditions:\n  Old: !Equals [a, b]\n  New: !Not [!Condition Old]\nResources:\n  A:\n"
        "    Type: AWS::EC2::Instance\n    Properties:\n      MetadataOptions:\n"
        "        HttpTokens: !If [New, required, optional]\n"
    )
    (launch,) = launches("a.yaml", text)
    assert launch.options == {"http_tokens": "required"}
    assert launch.assumed == frozenset()


def test_a_map_by_region_that_says_the_same_everywhere_is_known() -> None:
    text = (
        "Mappings:\n  R:\n    eu-west-1: {T: required}\n    us-east-1: {T: required}\nResources:\n"
        "  A:\n    Type: AWS::EC2::Instance\n    Properties:\n      MetadataOptions:\n"
        "        HttpTokens: !FindInMap [R, !Ref AWS::Region, T]\n"
    )
    (launch,) = launches("a.yaml", text)
    assert launch.options == {"http_tokens": "required"}


def test_requests_of_ansible_are_told_with_what_they_send() -> None:
    found = [one for one in facts(AREA / "ansible/facts.yml") if isinstance(one, Request)]
    got = [(one.method, one.path, one.token, one.lifetime, one.follows) for one in found][:3]
    assert got == [
        ("PUT", "/latest/api/token", "no", "yes", False),
        ("GET", "/latest/meta-data/placement/availability-zone", "yes", "no", True),
        ("GET", "/latest/meta-data/instance-type", "no", "no", True),
    ]
    assert found[1].token_from == "imds_token"
    assert [one.stored_in for one in found[:3]] == ["imds_token", "", "type"]
    (script,) = scripts(AREA / "ansible/facts.yml")
    assert line_with(script, "169.254") == 29


def test_requests_to_other_clouds_are_none_of_ours() -> None:
    text = (
        "- uri:\n    url: http://169.254.169.254/metadata/instance?api-version=2021-02-01\n"
        "    headers: {Metadata: 'true'}\n- uri:\n    url: http://169.254.170.2/v2/credentials\n"
    )
    assert facts("tasks.yml", text) == []


def test_settings_of_containers_and_pipelines_are_told() -> None:
    for path, wanted in (
        ("kubernetes/pod.yaml", ("AWS_EC2_METADATA_DISABLED", "true", 9)),
        ("kubernetes/pod.yaml", ("AWS_EC2_METADATA_V1_DISABLED", "true", 27)),
        ("pipelines/workflow.yml", ("AWS_EC2_METADATA_DISABLED", "true", 7)),
        ("pipelines/compose.yaml", ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://imds:1338/", 5)),
        ("pipelines/options.yaml", ("DisableIMDSv1", "false", 3)),
        ("kubernetes/eksctl.yaml", ("disablePodIMDS", "true", 16)),
    ):
        found = [one for one in facts(AREA / path) if isinstance(one, Setting)]
        assert wanted in [(one.name, one.value, one.place.line) for one in found]


def test_commands_of_pods_and_pipelines_are_scripts() -> None:
    for path, lines in (
        ("kubernetes/pod.yaml", {8, 21, 34}),
        ("kubernetes/eksctl.yaml", {10}),
        ("kubernetes/karpenter_optional.yaml", {11}),
        ("pipelines/workflow.yml", {12}),
        ("pipelines/compose.yaml", {6}),
        ("pipelines/buildspec.yml", {5}),
        ("pipelines/options.yaml", {6}),
        ("packer/ubuntu/image.pkr.hcl", {21}),
        ("packer/legacy.json", {15}),
    ):
        found = scripts(AREA / path)
        assert {s.kind for s in found} == {"shell"}, path
        assert {line_with(s, "169.254") for s in found} == lines, path


def test_karpenter_takes_its_own_defaults() -> None:
    (launch,) = launches(AREA / "kubernetes/karpenter_default.yaml")
    assert launch.options == {"http_tokens": "required", "http_put_response_hop_limit": 1}
    text = "apiVersion: karpenter.k8s.aws/v1beta1\nkind: EC2NodeClass\nspec: {role: x}\n"
    (launch,) = launches("a.yaml", text)
    assert launch.options["http_put_response_hop_limit"] == 2


def test_a_well_known_module_has_its_own_defaults() -> None:
    module = (
        'module "a" {\n  source = "terraform-aws-modules/ec2-instance/aws"\n  version = "%s"\n}\n'
    )
    for version, inherited in (
        ("~> 5.0", False),
        ("6.0.2", True),
        (">= 5.0", True),
        ("5.8.0", False),
    ):
        (launch,) = launches("main.tf", module % version)
        assert bool(launch.inherited) is inherited, version


def test_an_account_default_counts_for_the_launches_beside_it(tmp_path: Path) -> None:
    (tmp_path / "account.tf").write_text(
        'resource "aws_ec2_instance_metadata_defaults" "this" {\n  http_tokens = "required"\n}\n'
    )
    (tmp_path / "main.tf").write_text('resource "aws_instance" "a" {\n  ami = "x"\n}\n')
    (launch,) = launches(tmp_path / "main.tf")
    assert "aws_ec2_instance_metadata_defaults.this" in launch.inherited
    (tmp_path / "account.tf").unlink()
    (launch,) = launches(tmp_path / "main.tf")
    assert launch.inherited == ""


def test_files_from_windows_are_read_like_others() -> None:
    for name in ("cloudformation/launch_template.yaml", "terraform/optional/main.tf"):
        text = (AREA / name).read_text()
        assert rules(name, text.replace("\n", "\r\n")) == rules(name, text)


def test_characters_beyond_ascii_do_not_move_a_place() -> None:
    text = (
        '# Größe, 日本語, 🙂\nresource "aws_instance" "a" {\n  metadata_options {\n'
        '    /* é */ http_tokens = "optional"\n  }\n}\n'
    )
    (launch,) = launches("main.tf", text)
    assert (launch.members["http_tokens"].line, launch.members["http_tokens"].column) == (4, 13)
    assert launch.edits[0].start == text.index('"optional"')
