"""What programs on the JVM do, by the sources that a stage builds: what is found, and where the right answer is a doubt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener.needs.source.java_build import catalog_of, gradle, maven
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, EVERYTHING, MEMORY, PORTS, USERS, WRITES, Uses
from tests.programs import uses

JAVAC = """FROM eclipse-temurin:17-jdk AS build
WORKDIR /src
COPY *.java ./
RUN javac -d /out Main.java
FROM eclipse-temurin:17-jre
WORKDIR /app
COPY --from=build /out /app/classes
ENTRYPOINT ["java", "-Xmx96m", "-cp", "/app/classes", "Main"]
"""


def main(folder: Path, code: str, imports: str = "java.io.* java.nio.file.*", **environment: str) -> Uses:
    """What a class with this code in its main method does."""
    lines = "".join(f"import {name};\n" for name in imports.split())
    text = f"{lines}public class Main {{\n  public static void main(String[] args) throws Exception {{\n{code}\n  }}\n}}\n"
    return uses(folder, JAVAC, {"Main.java": text}, environment)


def paths(found: Uses) -> dict[str, str]:
    return {write.path: write.kind for write in found.writes}


def ports(found: Uses) -> set[int]:
    return {listen.number for listen in found.listens}


LEDGER = """
    Path f = Paths.get(System.getenv("DATA_FILE"));
    HttpServer s = HttpServer.create(new InetSocketAddress(8080), 0);
    s.createContext("/", x -> {
      byte[] out; int code = 200;
      try {
        if (x.getRequestMethod().equals("POST")) {
          Path tmp = Files.createTempFile("ledger", ".tmp");
          Files.write(tmp, x.getRequestBody().readAllBytes());
          Files.write(f, Files.readAllBytes(tmp), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
          Files.delete(tmp);
        }
        out = ("entries:" + (Files.exists(f) ? Files.readString(f) : "")).getBytes();
      } catch (Exception e) { code = 500; out = e.toString().getBytes(); }
      x.sendResponseHeaders(code, out.length); x.getResponseBody().write(out); x.close();
    });
    s.start();
"""


def test_a_ledger_in_a_file(tmp_path: Path) -> None:
    imports = "java.io.* java.nio.file.* com.sun.net.httpserver.HttpServer java.net.InetSocketAddress"
    found = main(tmp_path, LEDGER, imports, DATA_FILE="/app/data/ledger.txt")
    assert paths(found) == {"/tmp": "scratch", "/app/data/ledger.txt": "data"}
    assert ports(found) == {8080}
    assert found.doubts == ()
    assert found.memory is not None
    assert found.memory.mib == 384


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('new FileOutputStream("/data/x.bin").write(1);', {"/data/x.bin": "data"}),
        ('File dir = new File("uploads"); dir.mkdirs(); new FileWriter(new File(dir, name));', {"/app/uploads": "data"}),
        ('Path p = Path.of("/srv").resolve("a"); Files.createDirectories(p.resolve("b"));', {"/srv/a/b": "data"}),
        ('Files.newBufferedWriter(Paths.get(System.getProperty("java.io.tmpdir"), "x.txt"));', {"/tmp/x.txt": "scratch"}),
        ('File f = File.createTempFile("a", "b"); f.delete();', {"/tmp": "scratch"}),
        ('new PrintWriter(socket.getOutputStream(), true).println("x");', {}),
        ('in.transferTo(out); Files.copy(Path.of("/a"), System.out); Files.readString(Path.of("/etc/x"));', {}),
        ('new RandomAccessFile("/data/x", "r"); new RandomAccessFile("/data/y", "rw");', {"/data/y": "data"}),
        ('// new FileWriter("/x")\nString s = "new FileWriter(\\"/x\\")";', {}),
        ('DriverManager.getConnection("jdbc:sqlite:/data/app.db"); open("jdbc:h2:mem:x");', {"/data": "data"}),
        ("BufferedImage i = javax.imageio.ImageIO.read(in);", {"/tmp": "scratch"}),
    ],
)
def test_what_is_written(code: str, expected: dict[str, str], tmp_path: Path) -> None:
    found = main(tmp_path, code)
    assert paths(found) == expected
    assert not found.open(WRITES, CAPABILITIES, ESCALATION, USERS)


@pytest.mark.parametrize(
    ("code", "about"),
    [
        ("new FileOutputStream(args[0]);", WRITES),
        ("void f(Path p) { Files.write(p, b); }", WRITES),
        ("list.forEach(Files::delete);", WRITES),
        ("void f(File f) { f.delete(); }", WRITES),
        ("new ProcessBuilder(command).start();", ESCALATION),
        ("Runtime.getRuntime().exec(command);", CAPABILITIES),
        ('System.loadLibrary("x");', CAPABILITIES),
        ("Files.setOwner(p, owner);", USERS),
        ("new ServerSocket(port);", PORTS),
        ("new URLClassLoader(urls);", CAPABILITIES),
    ],
)
def test_where_the_right_answer_is_a_doubt(code: str, about: str, tmp_path: Path) -> None:
    assert main(tmp_path, code).open(about)


def test_a_library_without_a_build_file_is_unknown(tmp_path: Path) -> None:
    assert "org.x.Y" in main(tmp_path, "", "org.x.Y").open(CAPABILITIES)


def test_an_archive_that_nobody_builds_is_unknown(tmp_path: Path) -> None:
    dockerfile = 'FROM eclipse-temurin:17\nCOPY . /app\nRUN curl -o /app/app.jar x\nCMD ["java", "-jar", "/app/app.jar"]\n'
    assert uses(tmp_path, dockerfile, {"Main.java": "class Main {}"}).doubts[0].about == EVERYTHING


@pytest.mark.parametrize(
    ("options", "environment", "mib"),
    [
        ('"-Xmx1g"', {}, 1536),
        ('"-Xms1g"', {}, None),
        ('"$JAVA_OPTS"', {"JAVA_OPTS": "-Xmx512m -Dx=y"}, 896),
        ('"-ea"', {"JAVA_TOOL_OPTIONS": "-Xmx64m"}, 384),
    ],
)
def test_memory_is_known_by_the_heap(options: str, environment: dict[str, str], mib: int | None, tmp_path: Path) -> None:
    found = uses(tmp_path, JAVAC.replace('"-Xmx96m"', options), {"Main.java": "class Main {}"}, environment)
    assert (found.memory.mib if found.memory else None) == mib
    assert bool(found.open(MEMORY)) == (mib is None)


def test_options_of_the_jvm(tmp_path: Path) -> None:
    def with_option(option: str) -> Uses:
        return uses(tmp_path, JAVAC.replace('"-Xmx96m"', f'"-Xmx96m", "{option}"'), {"Main.java": "class Main {}"})

    assert with_option("-javaagent:/x.jar").open(CAPABILITIES)
    assert paths(with_option("-XX:HeapDumpPath=/dumps/x.hprof")) == {"/dumps": "log"}
    assert ports(with_option("-agentlib:jdwp=transport=dt_socket,server=y,address=*:5005")) == {5005}


SPRING = """FROM maven:3-eclipse-temurin-17 AS build
WORKDIR /build
COPY pom.xml .
COPY src ./src
RUN mvn -q package
FROM eclipse-temurin:17-jre
WORKDIR /app
COPY --from=build /build/target/*.jar app.jar
ENTRYPOINT ["java", "-Xmx256m", "-jar", "app.jar"]
"""
POM = """<project><parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId></parent>
<groupId>com.x</groupId><artifactId>app</artifactId>
<dependencies>
  <dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-web</artifactId></dependency>
  <dependency><groupId>org.junit</groupId><artifactId>junit</artifactId><scope>test</scope></dependency>
</dependencies>
<build><plugins><plugin><dependencies><dependency><groupId>a</groupId><artifactId>b</artifactId></dependency></dependencies></plugin>
</plugins></build></project>
"""
UPLOADS = """package com.x;
import org.springframework.beans.factory.annotation.Value;
import java.nio.file.*;
@Service public class Uploads {
  @Value("${upload.dir:uploads}") private String dir;
  public void save(String name, byte[] data) throws Exception { Files.write(Paths.get(dir, name), data); }
}
"""


@pytest.mark.parametrize(
    ("name", "text", "environment", "port", "folder"),
    [
        ("application.properties", "server.port=9000\nupload.dir=/data/up\n", {}, 9000, "/data/up"),
        ("application.yml", "server:\n  port: ${PORT:8181} # x\nupload:\n  dir: '/data/y'\n", {}, 8181, "/data/y"),
        ("application.yml", "server:\n  port: ${PORT:8181}\n", {"PORT": "1234", "UPLOAD_DIR": "/z"}, 1234, "/z"),
        ("application.properties", "", {"SERVER_PORT": "81"}, 81, "/app/uploads"),
    ],
)
def test_settings_of_spring_boot(
    name: str, text: str, environment: dict[str, str], port: int, folder: str, tmp_path: Path
) -> None:
    files = {"pom.xml": POM, "src/main/java/com/x/Uploads.java": UPLOADS, f"src/main/resources/{name}": text}
    found = uses(tmp_path, SPRING, files, environment)
    assert paths(found) == {"/tmp": "scratch", folder: "data"}
    assert ports(found) == {port}
    assert not found.open(WRITES, CAPABILITIES, ESCALATION, USERS)


def test_log_files_of_logback(tmp_path: Path) -> None:
    logback = (
        '<configuration><property name="LOGS" value="/var/log/a"/><appender><file>${LOGS}/x.log</file></appender></configuration>'
    )
    files = {"pom.xml": POM, "src/main/java/A.java": "class A {}", "src/main/resources/logback-spring.xml": logback}
    assert paths(uses(tmp_path, SPRING, files)) == {"/tmp": "scratch", "/var/log/a": "log"}
    files["src/main/resources/logback-spring.xml"] = logback.replace("${LOGS}", "${WHERE}")
    assert uses(tmp_path, SPRING, files).open(WRITES)


def test_libraries_of_build_files() -> None:
    assert maven(POM) == {"org.springframework.boot:spring-boot-starter-web"}
    catalog = catalog_of(
        '[libraries]\nmy-lib = { module = "a:b", version = "1" }\nc = "d:e:1"\n[bundles]\nall = ["my-lib", "c"]\n'
    )
    text = """
    plugins { id 'java' }
    dependencies {
        implementation 'org.x:y:1.0'
        implementation("org.p:q")
        runtimeOnly group: 'g', name: 'n', version: '1'
        implementation(libs.my.lib)
        implementation libs.bundles.all
        implementation project(':other')
        compileOnly 'org.projectlombok:lombok'
        testImplementation 'junit:junit:4'
        // implementation 'not:this:1'
    }
    """
    assert gradle(text, catalog) == {"org.x:y", "org.p:q", "g:n", "a:b", "d:e"}
    assert gradle("dependencies { \n implementation files('x.jar')\n }", {}) is None
    assert gradle("dependencies {\n implementation(libs.unknown)\n}", {}) is None


@given(st.text(st.sampled_from("<>/\"'{}()=$:.,\n abcdependencyimplementation"), max_size=200))
@settings(max_examples=150, deadline=None)
def test_odd_build_files_are_never_too_much(text: str) -> None:
    maven(text)
    gradle(text, catalog_of(text))
