from setuptools import find_packages, setup

PACKAGE = "lander_flight"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    zip_safe=False,
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "hazards = lander_flight.hazards_node:main",
            "trn = lander_flight.trn_node:main",
            "navigation = lander_flight.navigation_node:main",
            "guidance = lander_flight.guidance_node:main",
            "throttle = lander_flight.throttle_node:main",
            "health = lander_flight.health_node:main",
            "payload_manager = lander_flight.payload_manager_node:main",
        ],
    },
)
