from setuptools import find_packages, setup

PACKAGE = "lander_sensors"

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
            "imu = lander_sensors.imu_node:main",
            "camera = lander_sensors.camera_node:main",
            "rangefinder = lander_sensors.rangefinder_node:main",
        ],
    },
)
